/* The only script of the report: filters of tables and the choice of colours. Pages work without it. */
"use strict";

(function () {
  const root = document.documentElement;

  /* storage may be forbidden for files; the choice then lasts for one page */
  function stored(value) {
    try {
      if (value !== undefined) localStorage.setItem("lemmata-theme", value);
      return localStorage.getItem("lemmata-theme");
    } catch (error) {
      return null;
    }
  }

  function isDark() {
    const chosen = root.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }

  /* before the page is drawn, so that it does not flash */
  const before = stored();
  if (before === "dark" || before === "light") root.dataset.theme = before;

  function themeButton(button) {
    function label() {
      button.textContent = isDark() ? "Light" : "Dark";
      button.setAttribute("aria-label", isDark() ? "Light colours" : "Dark colours");
    }
    button.addEventListener("click", function () {
      root.dataset.theme = isDark() ? "light" : "dark";
      stored(root.dataset.theme);
      label();
    });
    label();
    button.hidden = false;
  }

  function filters(form) {
    const rows = Array.from(document.querySelectorAll("#" + form.dataset.filters + " > tbody > tr"));
    const count = form.querySelector("[data-count]");
    const what = count.textContent.trim().split(" ").pop();
    const empty = document.querySelector("[data-empty]");
    const names = Array.from(form.elements).map((field) => field.name).filter(Boolean);

    function matches(row) {
      return names.every(function (name) {
        const wanted = form.elements[name].value.trim().toLowerCase();
        if (!wanted) return true;
        if (name === "text") return wanted.split(/\s+/).every((word) => row.dataset.text.includes(word));
        const value = (row.dataset[name] || "").toLowerCase();
        return name === "rigor" ? value.split(" ").includes(wanted) : value === wanted;
      });
    }

    function show() {
      let shown = 0;
      for (const row of rows) {
        row.hidden = !matches(row);
        if (!row.hidden) shown += 1;
      }
      count.textContent = shown + " of " + rows.length + " " + what;
      if (empty) empty.hidden = shown > 0;
    }

    /* #paper=zeng2022&verdict=refuted */
    function read() {
      const wanted = new URLSearchParams(location.hash.slice(1));
      for (const name of names) form.elements[name].value = wanted.get(name) || "";
      for (const field of form.querySelectorAll("select")) if (field.selectedIndex < 0) field.value = "";
      show();
    }

    function write() {
      const chosen = new URLSearchParams();
      for (const name of names) if (form.elements[name].value) chosen.set(name, form.elements[name].value);
      const hash = chosen.toString();
      history.replaceState(null, "", hash ? "#" + hash : location.pathname);
      show();
    }

    form.addEventListener("input", write);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(write, 0));
    addEventListener("hashchange", read);
    form.hidden = false;
    read();
  }

  document.addEventListener("DOMContentLoaded", function () {
    document.querySelectorAll("[data-theme-button]").forEach(themeButton);
    document.querySelectorAll("form[data-filters]").forEach(filters);
  });

  /* what is folded away on the screen belongs on paper too */
  addEventListener("beforeprint", function () {
    document.querySelectorAll("details:not([open])").forEach(function (details) {
      details.open = true;
      details.dataset.opened = "";
    });
  });
  addEventListener("afterprint", function () {
    document.querySelectorAll("details[data-opened]").forEach(function (details) {
      details.open = false;
      delete details.dataset.opened;
    });
  });
})();
