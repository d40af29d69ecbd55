/* What a plain C loop, and the machine's multiply-add units, do: compared with in kernels.py. */
#include <math.h>
#include <time.h>

void fill(unsigned *counts, double re, double im, double step_re, double step_im, long size, long maxiter) {
    for (long row = 0; row < size; row++)
        for (long col = 0; col < size; col++) {
            double cx = re + col * step_re, cy = im + row * step_im, x = cx, y = cy;
            long n = 0;
            while (n < maxiter && x * x + y * y <= 4.0) {
                double next = x * x - y * y + cx;
                y = 2 * x * y + cy;
                x = next;
                n++;
            }
            counts[row * size + col] = (unsigned)n;
        }
}

/* Return double-precision multiply-adds per second of one core: 96 independent chains keep every unit busy. */
double peak(void) {
    double a[96];
    struct timespec begin, end;
    for (int i = 0; i < 96; i++) a[i] = i;
    const long rounds = 20000000;
    double best = 0;
    for (int repeat = 0; repeat < 5; repeat++) {
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
#if defined(__AVX512F__)
        typedef double lane __attribute__((vector_size(64)));
        enum { WIDTH = 8 };
#else
        typedef double lane __attribute__((vector_size(32)));
        enum { WIDTH = 4 };
#endif
        lane v[12];
        for (int k = 0; k < 12; k++)
            for (int i = 0; i < WIDTH; i++) v[k][i] = a[(k * WIDTH + i) % 96];
        lane m = v[0] * 0 + 0.999, s = v[0] * 0 + 1e-3;
        for (long i = 0; i < rounds; i++)
            for (int k = 0; k < 12; k++) v[k] = v[k] * m + s;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
        for (int k = 0; k < 12; k++)
            for (int i = 0; i < WIDTH; i++) a[(k * WIDTH + i) % 96] += v[k][i];
        double seconds = (end.tv_sec - begin.tv_sec) + 1e-9 * (end.tv_nsec - begin.tv_nsec);
        double rate = 12.0 * WIDTH * rounds / seconds;
        if (rate > best) best = rate;
    }
    volatile double sink = a[0];
    (void)sink;
    return best;
}
