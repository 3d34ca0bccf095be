// @ts-check
/** The inside of a page as the server makes it, put in with as few changes as it takes. No script in it runs. */
import { readPictures } from "./cursor.js";
import { patchChildren } from "./dom.js";
import { timeText } from "./words.js";

/**
 * Show a view, and return what it says besides, and the numbers of its charts.
 * @param {HTMLElement} main
 * @param {string} html
 * @returns {Record<string, string | undefined>}
 */
export function show(main, html) {
  const made = new DOMParser().parseFromString(html, "text/html");
  const charts = made.getElementById("charts");
  charts?.remove();
  for (const time of made.querySelectorAll("time")) time.textContent = timeText(time.dateTime, time.dataset.form);
  patchChildren(main, [...made.body.childNodes]);
  readPictures(main);
  return { ...made.getElementById("shown")?.dataset, charts: charts?.textContent };
}
