"""Pages for browsing the served trees and viewing their arrays: plain HTML, to which scripts add drawings."""
