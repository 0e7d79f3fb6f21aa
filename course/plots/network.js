// A graph that can be dragged, and read by pointing at it. Python has placed the nodes; see network.py.
(() => {
  const data = DATA;
  const ink = "var(--jp-content-font-color1, #222)", page = "var(--jp-layout-color0, #fff)";

  function make(tag, attributes, parent, text) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    parent.appendChild(element);
    return element;
  }

  function line(style, text, parent) {
    const element = document.createElement("div");
    element.style.cssText = style;
    element.textContent = text;
    parent.appendChild(element);
    return element;
  }

  function draw(box) {
    box.textContent = "";
    box.style.cssText = `max-width:${data.width}px;color:${ink};font:13px var(--jp-content-font-family, sans-serif)`;
    const head = line("display:flex;flex-wrap:wrap;gap:4px 18px;align-items:baseline;padding:4px 0", "", box);
    line("font-weight:600;margin-right:auto", data.title, head);
    data.legend.forEach(([name, colour], i) => {
      const entry = line("display:flex;align-items:center;gap:6px", "", head);
      const shape = i < data.labels ? "width:11px;height:11px;border-radius:50%" : "width:18px;height:2px";
      line(`${shape};background:${colour}`, "", entry);
      line("", name, entry);
    });
    const svg = make("svg", {viewBox: `0 0 ${data.width} ${data.height}`, width: "100%", role: "img", "aria-label": data.title}, box);
    svg.style.cssText = "display:block;touch-action:pan-y;user-select:none";
    const hint = "Drag a node. Point at one to read it.";
    const about = line("min-height:2.8em;padding:2px 0;opacity:.75;overflow-wrap:anywhere", hint, box);

    const dots = data.dots.map(dot => ({...dot}));
    const hops = dots.map(() => []);       // neighbours of each dot
    data.arrows.forEach(({start, end}) => { hops[start].push(end); hops[end].push(start); });
    const faint = data.arrows.length > 150;

    const arrows = data.arrows.map(arrow => {
      const group = make("g", {}, svg);
      const colour = arrow.marked ? data.red : arrow.colour;
      const width = arrow.marked ? 3 : faint ? .8 : 1.5;
      const stroke = make("path", {fill: "none", stroke: colour, "stroke-width": width, "stroke-opacity": faint && !arrow.marked ? .5 : .9}, group);
      const tip = make("path", {fill: colour}, group);
      const name = arrow.named ? make("text", {"text-anchor": "middle", dy: "0.32em", "font-size": 9.5, fill: ink, "fill-opacity": .75,
        stroke: page, "stroke-width": 4, "paint-order": "stroke"}, group, arrow.type) : null;
      return {...arrow, group, stroke, tip, name};
    });

    const circles = dots.map(dot => {
      const group = make("g", {tabindex: 0, role: "img", "aria-label": dot.about}, svg);
      group.style.cssText = "cursor:grab;outline:none";
      make("circle", {r: dot.radius, fill: dot.colour, stroke: dot.marked ? data.red : page, "stroke-width": dot.marked ? 3 : 1.5}, group);
      const text = make("text", {y: dot.above ? -dot.radius - 4 : dot.radius + 12, "text-anchor": "middle", "font-size": 12, fill: ink, stroke: page, "stroke-width": 3,
        "paint-order": "stroke", "pointer-events": "none"}, group, dot.name);
      text.style.display = dot.named ? "" : "none";
      return {group, text};
    });

    function place() {
      dots.forEach((dot, i) => circles[i].group.setAttribute("transform", `translate(${dot.x} ${dot.y})`));
      for (const arrow of arrows) {
        const a = dots[arrow.start], b = dots[arrow.end];
        if (a === b) continue;
        const dx = b.x - a.x, dy = b.y - a.y;
        const cx = (a.x + b.x) / 2 + dy * arrow.bend, cy = (a.y + b.y) / 2 - dx * arrow.bend;
        const from = toward(a, cx, cy, a.radius + 1), to = toward(b, cx, cy, b.radius + 3);
        arrow.stroke.setAttribute("d", `M${from.x} ${from.y}Q${cx} ${cy} ${to.x} ${to.y}`);
        const size = arrow.marked ? 9 : 7, u = to.ux, v = to.uy;
        arrow.tip.setAttribute("d", `M${to.x - u * 2} ${to.y - v * 2}L${to.x + u * size - v * size * .4} ${to.y + v * size + u * size * .4}`
          + `L${to.x + u * size + v * size * .4} ${to.y + v * size - u * size * .4}Z`);
        arrow.name?.setAttribute("transform", `translate(${(cx + (a.x + b.x) / 2) / 2} ${(cy + (a.y + b.y) / 2) / 2})`);
      }
    }

    // The point at `distance` from a dot on the way to (x, y), and the direction of that way.
    function toward(dot, x, y, distance) {
      const length = Math.hypot(x - dot.x, y - dot.y) || 1, ux = (x - dot.x) / length, uy = (y - dot.y) / length;
      return {x: dot.x + ux * distance, y: dot.y + uy * distance, ux, uy};
    }

    function point(i) {
      const near = new Set(i === null ? [] : [i, ...hops[i]]);
      circles.forEach(({group, text}, j) => {
        group.style.opacity = i === null || near.has(j) ? 1 : .2;
        text.style.display = near.has(j) || (i === null && dots[j].named) || dots[j].named ? "" : "none";
      });
      arrows.forEach(arrow => { arrow.group.style.opacity = i === null || arrow.start === i || arrow.end === i ? 1 : .12; });
      about.textContent = i === null ? hint : dots[i].about;
    }

    // How far each dot follows the one that is dragged: less with every hop.
    function followers(i) {
      const share = new Map([[i, 1]]), queue = [i];
      for (const node of queue) for (const other of hops[node])
        if (!share.has(other) && share.get(node) > .05) { share.set(other, share.get(node) * .4); queue.push(other); }
      return share;
    }

    let held = null;
    circles.forEach(({group}, i) => {
      group.addEventListener("pointerenter", () => held === null && point(i));
      group.addEventListener("pointerleave", () => held === null && point(null));
      group.addEventListener("focus", () => point(i));
      group.addEventListener("blur", () => point(null));
      group.addEventListener("pointerdown", event => {
        held = {i, share: followers(i), x: event.clientX, y: event.clientY};
        group.setPointerCapture(event.pointerId);
        group.style.cursor = "grabbing";
        point(i);
        event.preventDefault();
      });
      group.addEventListener("pointermove", event => {
        if (held?.i !== i) return;
        const scale = data.width / svg.getBoundingClientRect().width;
        const dx = (event.clientX - held.x) * scale, dy = (event.clientY - held.y) * scale;
        held.x = event.clientX; held.y = event.clientY;
        held.share.forEach((share, j) => {
          dots[j].x = Math.min(Math.max(dots[j].x + dx * share, dots[j].radius), data.width - dots[j].radius);
          dots[j].y = Math.min(Math.max(dots[j].y + dy * share, dots[j].radius), data.height - dots[j].radius - 14);
        });
        place();
      });
      for (const end of ["pointerup", "pointercancel"]) group.addEventListener(end, () => {
        held = null;
        group.style.cursor = "grab";
      });
    });
    place();
  }

  for (const box of document.querySelectorAll(`.course-graph[data-name="${NAME}"]:not([data-drawn])`)) {
    box.setAttribute("data-drawn", "");
    draw(box);
  }
})();
