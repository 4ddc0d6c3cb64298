// The key of servers that want one; it lives as long as the tab does.

import { by } from "./dom.js";

const NAME = "convscope-key";
let asking = null;

export const key = () => sessionStorage.getItem(NAME);

/** Ask for a key, once for all who wait; returns whether one was given. */
export function askForKey(detail) {
  asking ??= new Promise((resolve) => {
    const dialog = by("key-dialog");
    by("key-detail").textContent = key() ? `The key did not fit. ${detail}` : detail;
    sessionStorage.removeItem(NAME);
    by("key-field").value = "";
    dialog.returnValue = "";
    dialog.onclose = () => {
      const given = dialog.returnValue === "use" && by("key-field").value.trim();
      if (given) sessionStorage.setItem(NAME, given);
      asking = null;
      resolve(Boolean(given));
    };
    dialog.showModal();
  });
  return asking;
}
