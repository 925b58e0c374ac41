// Replaces the middle of the page when the world has changed; no reload, so nothing flickers.
// What a reader has opened stays open, and the place they have scrolled to stays.
(() => {
  let seen = null;
  const opened = () => [...document.querySelectorAll("main details")].map((d) => d.open);
  async function look() {
    try {
      const { version } = await (await fetch("/_/version")).json();
      if (seen !== null && version !== seen) {
        const text = await (await fetch(location.href)).text();
        const page = new DOMParser().parseFromString(text, "text/html");
        const before = opened();
        const colours = page.querySelector("#colours").getAttribute("href");
        const link = document.querySelector("#colours");
        if (link.getAttribute("href") !== colours) link.setAttribute("href", colours);
        document.querySelector("main").replaceWith(page.querySelector("main"));
        document.querySelectorAll("main details").forEach((d, n) => {
          if (n < before.length) d.open = before[n];
        });
        document.title = page.title;
      }
      seen = version;
    } catch {
      // The demo has ended; the last state stays on the screen.
    }
    setTimeout(look, 700);
  }
  look();
})();
