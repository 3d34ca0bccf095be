// @ts-check
/**
 * Cursors over pictures: arrow keys or a pointer move one from place to place, Enter or a click goes where its place
 * leads, Escape or leaving takes it away. What it says comes from the picture's attributes (node/web/views/picture.py).
 *
 * @typedef {{ length: number, wide: number, under: (x: number, y: number) => number,
 *   show: (place: number | null) => void, choose?: (place: number) => void }} Reading
 * `under` gives the place at a point, which is told in parts of the picture's width and height.
 */

/** @type {WeakMap<Element, Reading & { place: number | null }>} */
const readings = new WeakMap();

/** Let a picture be read so from now on; a cursor that is on it stays where it is. */
export function readBy(svg, reading) {
  const place = readings.get(svg)?.place ?? null;
  readings.set(svg, { ...reading, place: null });
  if (place !== null) move(svg, place);
}

function move(svg, place) {
  const reading = readings.get(svg);
  if (!reading) return;
  reading.place = place === null || !reading.length ? null : Math.max(0, Math.min(reading.length - 1, place));
  reading.show(reading.place);
}

/** Let the pictures that the server has made be read. */
export function readPictures(main) {
  for (const svg of main.querySelectorAll("svg[data-places]")) readBy(svg, pictured(svg));
}

/** @returns {Reading} */
function pictured(svg) {
  const [wide, width, height] = svg.dataset.grid.split(" ").map(Number);
  const { width: whole, height: high } = svg.viewBox.baseVal;
  const places = svg.dataset.places.split("\n").map((line) => line.match(/(\d+) (.*)/).slice(1));
  const cursor = svg.querySelector(".cursor");
  const said = svg.parentElement.querySelector("[data-said]");
  return {
    length: places.length,
    wide,
    under: (x, y) => Math.floor((y * high) / height) * wide + Math.min(wide - 1, Math.floor((x * whole) / width)),
    show: (place) => {
      const words = place === null ? svg.dataset.label : places[place][1];
      svg.setAttribute("aria-label", words);
      if (said) said.textContent = words;
      cursor.setAttribute("visibility", place === null ? "hidden" : "visible");
      const [across, down] = [(place ?? 0) % wide, Math.floor((place ?? 0) / wide)];
      cursor.setAttribute("transform", `translate(${across * width} ${down * height})`);
    },
    choose: (place) => { location.hash = svg.dataset.href.replace("~place~", places[place][0]); },
  };
}

/** Listen for all pictures at once. */
export function moveCursors(main) {
  const picture = ({ target }) => (readings.has(target.closest("svg")) ? target.closest("svg") : null);
  const follow = (event) => {
    const svg = picture(event);
    if (!svg) return;
    const { left, top, width, height } = svg.getBoundingClientRect();
    move(svg, readings.get(svg)?.under((event.clientX - left) / width, (event.clientY - top) / height) ?? null);
    if (event.type === "click") choose(svg);
  };
  main.addEventListener("pointermove", follow);
  main.addEventListener("click", follow);
  main.addEventListener("pointerout", (event) => {
    if (!picture(event)?.contains(event.relatedTarget)) move(picture(event), null);
  });
  main.addEventListener("focusout", (event) => move(picture(event), null));
  main.addEventListener("keydown", (event) => { if (picture(event)) walk(event, picture(event)); });
}

function choose(svg) {
  const reading = readings.get(svg);
  if (reading && reading.place !== null) reading.choose?.(reading.place);
}

function walk(event, svg) {
  const { length, wide, place } = readings.get(svg) ?? { length: 0, wide: 0, place: null };
  const by = (step) => (place !== null ? place + step : step > 0 ? 0 : length - 1);
  const goes = {
    ArrowRight: () => by(1), ArrowLeft: () => by(-1), ArrowDown: () => by(wide), ArrowUp: () => by(-wide),
    Home: () => 0, End: () => length - 1, Escape: () => null,
  };
  if (event.key === "Enter") choose(svg);
  if (!(event.key in goes)) return;
  event.preventDefault();
  move(svg, goes[event.key]());
}
