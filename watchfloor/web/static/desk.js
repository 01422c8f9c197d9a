// Keys for those who read all day. Without this file everything works with links and forms alone.
"use strict";

const leads = () => [...document.querySelectorAll(".item .lead")];
const isWriting = (element) => element.closest("input:not([type=checkbox]), textarea, select") !== null;

function step(by) {
  const all = leads();
  if (!all.length) return;
  const item = document.activeElement.closest(".item");
  const at = item ? all.findIndex((lead) => item.contains(lead)) : by > 0 ? -1 : all.length;
  const next = all[Math.min(Math.max(at + by, 0), all.length - 1)];
  next.focus({ preventScroll: true });
  next.closest(".item").scrollIntoView({ block: "nearest" });
}

function open() {
  const item = document.activeElement.closest(".item");
  const lead = item ? item.querySelector(".lead") : leads()[0];
  if (lead) lead.click();
}

function search() {
  const field = document.querySelector("main input[type=search]") || document.querySelector("input[type=search]");
  field.focus();
  field.select();
}

// On a phone the bar scrolls: the page one is on should be seen.
document.querySelector("nav [aria-current=page]")?.scrollIntoView({ block: "nearest", inline: "center" });

const KEYS = { j: () => step(1), k: () => step(-1), o: open, "/": search };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (isWriting(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const act = KEYS[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
});
