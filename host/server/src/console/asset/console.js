// Live parts of pages, and the link that signs in. Every page works without this.
"use strict";

(() => {
  // A link that was followed goes on by itself.
  document.getElementById("once")?.requestSubmit();

  const parts = () => document.querySelectorAll("[data-live]");
  if (parts().length === 0 || !("EventSource" in window)) return;

  let asking = false;
  let again = false;

  // A part in which somebody is at work stays as it is.
  const atWork = (part) => part.contains(document.activeElement) && document.activeElement !== document.body;

  function look() {
    if (asking) {
      again = true;
      return;
    }
    asking = true;
    const request = new XMLHttpRequest();
    request.open("GET", location.pathname + location.search);
    request.responseType = "document";
    request.setRequestHeader("x-casemate-live", "1");
    request.onloadend = () => {
      asking = false;
      if (request.status === 403 || request.status === 401) {
        location.reload();
        return;
      }
      const fresh = request.responseXML;
      if (request.status === 200 && fresh) {
        for (const part of parts()) {
          const next = fresh.querySelector(`[data-live="${CSS.escape(part.dataset.live)}"]`);
          if (next && next.textContent !== part.textContent && !atWork(part)) part.replaceWith(document.importNode(next, true));
        }
      }
      if (again) {
        again = false;
        setTimeout(look, 300);
      }
    };
    request.send();
  }

  const changes = new EventSource("/console/live");
  changes.onmessage = look;
  // It is over for good where nobody is signed in any more: looking again leads to the way in.
  changes.onerror = () => {
    if (changes.readyState === EventSource.CLOSED) look();
  };
  addEventListener("pagehide", () => changes.close());
})();
