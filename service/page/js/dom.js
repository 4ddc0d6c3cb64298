// Elements without markup in strings, so that no text from a file or a server becomes code.

const SVG = "http://www.w3.org/2000/svg";

/** Return an element; `on` has listeners, `style` custom properties, the rest are attributes. */
export function h(tag, props = {}, ...children) {
  return filled(document.createElement(tag), props, children);
}

/** Return an SVG element, as `h` does. */
export function svg(tag, props = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), props, children);
}

function filled(element, { on = {}, style = {}, ...attributes }, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined)
      element.setAttribute(name, value);
  }
  for (const [name, value] of Object.entries(style)) element.style.setProperty(name, value);
  for (const [type, listener] of Object.entries(on)) element.addEventListener(type, listener);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export const by = (id) => document.getElementById(id);

/** Say something to those who listen to the page; the same sentence twice is said twice. */
export function announce(text) {
  const line = by("live");
  line.textContent = "";
  setTimeout(() => (line.textContent = text), 30);
}

/**
 * Make arrow keys walk the options of a list, of which one is in the tab order.
 * columns: how many stand side by side, for up and down. pick: is told the option, and the
 * click if it was one.
 */
export function walkable(list, { columns = () => 1, pick }) {
  const options = () => [...list.querySelectorAll("[role=option]:not([hidden])")];
  const go = (option) => {
    if (!option) return;
    option.focus({ preventScroll: true });
    option.scrollIntoView({ block: "nearest" });
    pick(option);
  };
  list.addEventListener("keydown", (event) => {
    const all = options();
    const here = all.indexOf(document.activeElement);
    if (here < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = {
      ArrowDown: columns(),
      ArrowUp: -columns(),
      ArrowRight: 1,
      ArrowLeft: -1,
      PageDown: 10 * columns(),
      PageUp: -10 * columns(),
      Home: -here,
      End: all.length - 1 - here,
    };
    if (!(event.key in steps)) return;
    event.preventDefault();
    go(all[Math.min(Math.max(here + steps[event.key], 0), all.length - 1)]);
  });
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (!option) return;
    option.focus({ preventScroll: true });
    pick(option, event);
  });
}

/** Mark one option of a list as the chosen one, which the tab key reaches. */
export function choose(list, chosen) {
  const options = list.querySelectorAll("[role=option]");
  const reachable = chosen ?? options[0];
  for (const option of options) {
    option.setAttribute("aria-selected", String(option === chosen));
    option.tabIndex = option === reachable ? 0 : -1;
  }
}
