/** Make HTML elements from plain values. */

/** Make an element. Attributes that are functions become event listeners; true and false set or omit an attribute. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (key === "value" || key === "checked" || key === "disabled") made[key] = value;
    else if (value !== false && value !== undefined) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
}

let last = 0;

/** A control with its label. */
export function labelled(text, control, ...more) {
  control.id ||= `control-${++last}`;
  return element("div", { class: "control" }, element("label", { for: control.id }, text), control, ...more);
}
