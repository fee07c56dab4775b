"use strict";
// The page of one shopper. Without scripts it shows the same: the figures as a table, older entries as a page of their own.

function themeColour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function drawIntent(canvas) {
  const given = JSON.parse(canvas.dataset.chart);
  const day = new Intl.DateTimeFormat("en-GB", { timeZone: given.zone, day: "numeric", month: "short" });
  const minute = new Intl.DateTimeFormat("en-GB", { timeZone: given.zone, dateStyle: "medium", timeStyle: "short" });
  const points = (rows) => rows.map(([x, y]) => ({ x, y }));
  const marks = (kind) => given.marks.filter((mark) => mark.kind === kind);
  const few = given.score.length < 40;
  const moments = [...given.score.map(([x]) => x), ...given.marks.map((mark) => mark.x)];
  const dye = (set) => {
    const colour = themeColour(set.colour);
    set.borderColor = colour;
    set.backgroundColor = set.fill ? `color-mix(in oklab, ${colour} 14%, transparent)` : colour;
    set.pointBackgroundColor = colour;
    set.pointBorderColor = colour;
    return set;
  };
  const chart = new Chart(canvas, {
    type: "line",
    data: {
      datasets: [
        { label: "Intent score", data: points(given.score), colour: "--crm-accent", fill: true, pointRadius: few ? 2.5 : 0, borderWidth: 2, unit: "" },
        { label: "Exit likelihood", data: points(given.leaving), colour: "--crm-warn", borderDash: [4, 3], pointRadius: few ? 2 : 0, borderWidth: 1.5, unit: " %" },
        { label: "Orders", data: marks("order"), colour: "--crm-good", showLine: false, pointStyle: "rectRot", pointRadius: 8, pointHoverRadius: 10 },
        { label: "E-mails", data: marks("email"), colour: "--crm-info", showLine: false, pointStyle: "triangle", pointRadius: 7, pointHoverRadius: 9 },
      ].filter((set) => set.data.length).map(dye), // before the first drawing, or the points keep the library's colours
    },
    options: {
      animation: false,
      clip: false,
      maintainAspectRatio: false,
      interaction: { mode: "nearest", axis: "x", intersect: false },
      scales: {
        x: { type: "linear", min: Math.min(...moments), max: Math.max(...moments), grid: { display: false }, ticks: { maxTicksLimit: 7, maxRotation: 0, callback: (value) => day.format(value) } },
        y: { min: 0, max: 100, ticks: { stepSize: 25 } },
      },
      plugins: {
        legend: { position: "bottom", labels: { usePointStyle: true, boxHeight: 7 } },
        tooltip: {
          callbacks: {
            title: (items) => (items.length ? minute.format(items[0].parsed.x) : ""),
            label: (item) => item.raw.label || `${item.dataset.label}: ${Math.round(item.parsed.y)}${item.dataset.unit}`,
          },
        },
      },
    },
  });
  const paint = () => {
    chart.data.datasets.forEach(dye);
    for (const axis of Object.values(chart.options.scales)) {
      axis.ticks.color = themeColour("--crm-quiet");
      axis.grid.color = themeColour("--crm-line");
    }
    chart.options.plugins.legend.labels.color = themeColour("--crm-quiet");
    chart.update();
  };
  paint();
  new MutationObserver(paint).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
}

for (const canvas of document.querySelectorAll("canvas[data-chart]")) {
  canvas.parentElement.hidden = false;
  drawIntent(canvas);
}

// “Older” adds below what is read already, so that nobody loses their place.
document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-older]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  if (link.getAttribute("aria-busy")) return;
  link.setAttribute("aria-busy", "true");
  const address = new URL(link.href);
  address.searchParams.set("part", "timeline");
  address.hash = "";
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
    const part = new DOMParser().parseFromString(await answer.text(), "text/html");
    const list = document.querySelector("#timeline .crm-timeline");
    const days = list.querySelectorAll(".crm-day");
    const rows = [...part.querySelectorAll("#timeline .crm-timeline > li")].map((row) => document.adoptNode(row));
    if (rows.length && rows[0].textContent === days[days.length - 1].textContent) rows.shift();
    const first = rows[0];
    list.append(...rows);
    const older = part.querySelector("a[data-older]");
    if (older) link.replaceWith(document.adoptNode(older));
    else link.remove();
    if (first) {
      first.tabIndex = -1;
      first.focus({ preventScroll: true });
    }
  } catch {
    window.location.href = link.href;
  }
});
