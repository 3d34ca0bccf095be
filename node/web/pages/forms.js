// @ts-check
/** Forms: one leads to an address with what was written in it, one asks the server for something behind a dialog. */
import { send } from "./api.js";

/** Listen for all forms at once, for the buttons that open a dialog, and for the links to more of a table. */
export function answerForms(main) {
  main.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.href) {
      event.preventDefault();
      location.hash = addressOf(form.dataset.href, new FormData(form));
    } else if (form.dataset.post && event.submitter?.value) {
      event.preventDefault();
      ask(form);
    }
  });
  main.addEventListener("click", ({ target }) => {
    if (target.closest(".pages a")) target.closest(".pages").previousElementSibling.scrollIntoView();
    const button = target.closest("button[data-opens]");
    if (button) document.getElementById(button.dataset.opens)?.["showModal"]();
  });
}

function addressOf(href, fields) {
  const written = [...fields].filter(([, value]) => value !== "");
  return written.length ? `${href}${href.includes("?") ? "&" : "?"}${new URLSearchParams(written)}` : href;
}

async function ask(form) {
  try {
    await send(form.dataset.post, Object.fromEntries(new FormData(form)));
    form.closest("dialog").close();
  } catch (problem) {
    form.querySelector(".bad").textContent = /** @type {Error} */ (problem).message;
  }
}
