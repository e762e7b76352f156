// Fetches this page again every few seconds while its tab is seen, and shows what is new in it.
"use strict";

const seen = () => new Promise(resolve => {
  const look = () => document.hidden || resolve(document.removeEventListener("visibilitychange", look));
  document.addEventListener("visibilitychange", look);
  look();
});

const wait = seconds => new Promise(resolve => setTimeout(resolve, seconds * 1000));

// The link that has the focus has it in the new content too.
function replace(content, fresh) {
  const focused = content.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  const [left, top] = [scrollX, scrollY];
  content.replaceWith(fresh);
  if (focused !== null) {
    [...fresh.querySelectorAll("a")].find(link => link.getAttribute("href") === focused)?.focus({preventScroll: true});
  }
  scrollTo({left, top, behavior: "instant"});
}

async function refresh() {
  const response = await fetch(location.href, {cache: "no-store", signal: AbortSignal.timeout(15000)});
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const fresh = page.getElementById("content");
  if (fresh === null) throw new Error(`the exporter answers ${response.status}`);
  // A text that is being copied stays.
  if (!getSelection().isCollapsed) return;
  replace(document.getElementById("content"), fresh);
  document.title = page.title;
}

async function refreshForever() {
  for (;;) {
    await wait(Number(document.getElementById("content").dataset.refreshSeconds));
    await seen();
    let status = "";
    try {
      await refresh();
    } catch (error) {
      status = `Not refreshed, the figures above are old: ${error.message}`;
    }
    const shown = document.getElementById("refresh-status");
    if (shown.textContent !== status) shown.textContent = status;
  }
}

refreshForever();
