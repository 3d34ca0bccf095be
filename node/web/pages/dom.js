// @ts-check
/**
 * Elements from data, and the page brought to a new state with as few changes as it takes.
 * Whatever a network says is put in as text or as an attribute; nothing here reads markup.
 */
import { look, sign } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const SHAPES = new Set(["svg", "path", "line", "circle", "rect", "text", "g"]);

/**
 * Make an element. Strings and numbers become attributes, functions and objects properties;
 * what is null, undefined or false is left out. Of an element that is `whole`, later states leave the inside alone.
 * @param {string} name
 * @param {Record<string, any>} given
 * @param {...any} children
 * @returns {any}
 */
export function h(name, given = {}, ...children) {
  const shape = SHAPES.has(name);
  const made = /** @type {any} */ (shape ? document.createElementNS(SVG, name) : document.createElement(name));
  made.own = {};
  for (const [key, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function" || typeof value === "object" || key === "whole") made.own[key] = value;
    else made.setAttribute(key, value === true ? "" : String(value));
  }
  Object.assign(made, made.own);
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** Give an element new children; those that were there keep their focus, their place and what a person opened. */
export function patchChildren(parent, children) {
  const keyed = new Map();
  for (const child of parent.children) if (child.dataset.key) keyed.set(child.dataset.key, child);
  let at = parent.firstChild;
  for (const child of children) {
    const key = child.dataset?.key;
    const same = key ? keyed.get(key) : at && !at.dataset?.key ? at : null;
    if (!same) {
      parent.insertBefore(child, at);
      continue;
    }
    if (same === at) at = at.nextSibling;
    else parent.insertBefore(same, at);
    keyed.delete(key);
    patch(same, child);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

/** Make `old` what `made` is. A property `patched` is called when that is done. */
function patch(old, made) {
  const redrawn = old.nodeName === "path" && old.getAttribute("d") !== made.getAttribute("d"); // it would be read twice
  if (redrawn || old.nodeName !== made.nodeName) return old.replaceWith(made);
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== made.data) old.data = made.data;
    return undefined;
  }
  for (const { name } of [...old.attributes]) {
    if (name !== "open" && !made.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of made.attributes) {
    if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const name of Object.keys(old.own ?? {})) if (!(name in made.own)) old[name] = null;
  Object.assign(old, { own: made.own }, made.own);
  if (!old.own?.whole && old.dataset?.kept === undefined) patchChildren(old, [...made.childNodes]);
  old.own?.patched?.(old);
  return undefined;
}

/** A table with headings; a heading that begins with `#` stands over numbers. */
export function table(label, headings, rows) {
  const cells = headings.map((heading) => heading.startsWith("#"));
  return h("div", { class: "scroll", "data-key": label, tabindex: 0, role: "region", "aria-label": label },
    h("table", {},
      h("thead", {}, h("tr", {}, headings.map((heading, at) =>
        h("th", { scope: "col", class: cells[at] && "number" }, heading.replace(/^#/, ""))))),
      h("tbody", {}, rows.map(({ key, row, mark }) =>
        h("tr", { "data-key": key, class: mark }, row.map((cell, at) =>
          h("td", { class: cells[at] && "number" }, cell ?? "")))))));
}

/** A definition list of what has a value. */
export function facts(pairs) {
  return h("dl", { class: "facts" }, Object.entries(pairs)
    .filter(([, value]) => value && value.length !== 0)
    .map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

/** Links of which one is chosen: triples of the words, the address and whether it is this one. */
export function choice(label, items) {
  return h("nav", { class: "choice", "data-key": label, "aria-label": label }, items.map(([words, href, current, name]) =>
    h("a", { href, "aria-current": current && "true", "aria-label": name, title: name }, words)));
}

/** A section with a heading. */
export function section(title, given, ...children) {
  return h("section", { "data-key": title, ...given }, h("h2", {}, title), ...children);
}

/** An address of a copy: a link if a browser may follow it, else text. */
export function address(uri) {
  if (!/^https?:\/\//i.test(uri)) return h("code", {}, uri);
  return h("a", { href: uri, rel: "noopener noreferrer", target: "_blank" }, uri);
}

/** A state as a word with its sign and colour. */
export function stateOf(state) {
  return h("span", { class: `state ${look(state)}` }, h("span", { "aria-hidden": "true" }, sign(state)), ` ${state}`);
}

/** What is drawn how: pairs of a line's class and the words for it. */
export function legend(items, given = {}) {
  return h("ul", { ...given, class: `legend ${given.class ?? ""}` }, items.map(([look, ...words]) =>
    h("li", {}, h("svg", { viewBox: "0 0 20 10", "aria-hidden": "true" }, h("path", { class: look, d: "M0 5H20" })), words)));
}

/** Move a picture's cursor by arrow keys, `wide` places up and down; Escape takes it away, Enter chooses. */
export function walk(event, length, wide, show, choose = undefined) {
  const svg = event.currentTarget;
  const from = svg.place ?? -1;
  if (event.key === "Enter" && from >= 0) return choose?.(from);
  const step = { ArrowDown: wide, ArrowUp: -wide, ArrowRight: 1, ArrowLeft: -1, Home: -length, End: length, Escape: 0 }[event.key];
  if (step === undefined || !length) return undefined;
  event.preventDefault();
  const entry = Math.abs(step) <= wide && from < 0;
  const to = entry ? (step > 0 ? 0 : length - 1) : Math.max(0, Math.min(length - 1, from + step));
  svg.place = step === 0 ? null : to;
  return show(svg, svg.place);
}
