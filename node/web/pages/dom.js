// @ts-check
/** Elements, and the page brought to a new state with as few changes as it takes. */

const SVG = "http://www.w3.org/2000/svg";

/** Make an element of HTML. What it is given becomes attributes and text, never markup. */
export function h(name, given = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(given)) made.setAttribute(key, String(value));
  made.append(...children);
  return made;
}

/** Make a path of a picture. */
export function path(kind, d) {
  const made = document.createElementNS(SVG, "path");
  made.setAttribute("class", kind);
  made.setAttribute("d", d);
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

/** Make `old` what `made` is. What is inside an element that is `data-kept` is the browser's own affair. */
function patch(old, made) {
  const redrawn = old.nodeName === "path" && old.getAttribute("d") !== made.getAttribute("d"); // it would be read twice
  if (redrawn || old.nodeName !== made.nodeName) {
    old.replaceWith(made);
  } else if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== made.data) old.data = made.data;
  } else {
    const rewritten = old.nodeName === "INPUT" && old.defaultValue !== made.defaultValue;
    for (const { name } of [...old.attributes]) {
      if (name !== "open" && !made.hasAttribute(name)) old.removeAttribute(name);
    }
    for (const { name, value } of made.attributes) {
      if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    if (rewritten) old.value = made.defaultValue; // an attribute does not change what was typed over it
    if (old.dataset.kept === undefined) patchChildren(old, [...made.childNodes]);
  }
}
