// Points on a photo: clicked, dragged, coloured, deleted. `props.value` is what the server is sent, the rest of `props`
// what it answers: the picture, the photo's sides, and colours for the point `at`.
const [editor, stage, picture, choice, swatches, any, remove] = [
  ".points", ".stage", "img", ".choice", ".swatches", "input", ".delete",
].map((selector) => element.querySelector(selector));
const markers = [];
let points = [], at = null, drag = null;

function tell() {
  props.value = {points: points.map((point) => ({...point})), at, photo: props.photo};
  trigger("input");
  draw();
}

function placeOf(event) {
  const box = picture.getBoundingClientRect(), [width, height] = props.sides;
  return place((event.clientX - box.left) / box.width * width, (event.clientY - box.top) / box.height * height);
}

function place(x, y) {
  const [width, height] = props.sides, within = (value, side) => Math.max(0, Math.min(side - 1, Math.floor(value)));
  return {x: within(x, width), y: within(y, height)};
}

function draw() {
  const [width, height] = props.sides;
  editor.hidden = !props.picture;
  if (editor.hidden) return;
  if (picture.src !== props.picture) picture.src = props.picture;
  for (; markers.length < points.length; stage.append(markers.at(-1))) {
    markers.push(Object.assign(document.createElement("button"), {type: "button", className: "point"}));
  }
  while (markers.length > points.length) markers.pop().remove();
  points.forEach((point, i) => {
    markers[i].style.left = `${100 * (point.x + 0.5) / width}%`;
    markers[i].style.top = `${100 * (point.y + 0.5) / height}%`;
    markers[i].style.background = point.color ?? "transparent";
    markers[i].setAttribute("aria-pressed", i === at);
    markers[i].setAttribute("aria-label", `Point ${i + 1}`);
  });
  choice.hidden = at === null;
  if (at === null) return;
  if (points[at].color) any.value = points[at].color;
  swatches.replaceChildren(...(props.at === at ? props.swatches : []).map((color) => {
    const swatch = Object.assign(document.createElement("button"), {type: "button", title: color});
    swatch.style.background = color;
    swatch.setAttribute("aria-label", color);
    swatch.onclick = () => paint(color);
    return swatch;
  }));
}

function paint(color) {
  points[at].color = color;
  tell();
}

stage.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  event.preventDefault();
  stage.setPointerCapture(event.pointerId);
  const marked = markers.indexOf(event.target), unpainted = points.findIndex((point) => !point.color);
  at = marked >= 0 ? marked : unpainted >= 0 ? unpainted : points.length;
  if (marked < 0) points[at] = {...placeOf(event), color: null};
  drag = {x: event.clientX, y: event.clientY, moved: marked < 0};
  draw();
});

stage.addEventListener("pointermove", (event) => {
  if (!drag) return;
  drag.moved ||= Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > 3;
  if (drag.moved) Object.assign(points[at], placeOf(event));
  draw();
});

stage.addEventListener("pointerup", () => {
  if (drag) tell();
  drag = null;
});

stage.addEventListener("pointercancel", () => { drag = null; });

stage.addEventListener("focusin", (event) => {
  if (drag || markers.indexOf(event.target) === at) return;
  at = markers.indexOf(event.target);
  tell();
});

stage.addEventListener("keydown", (event) => {
  const step = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
  const point = points[markers.indexOf(event.target)];
  if (!step || !point) return;
  event.preventDefault();
  const far = Math.max(1, Math.round(Math.max(...props.sides) / 100));
  Object.assign(point, place(point.x + far * step[0], point.y + far * step[1]));
  tell();
});

any.addEventListener("change", () => paint(any.value));

remove.addEventListener("click", () => {
  points.splice(at, 1);
  at = null;
  tell();
});

watch(Object.keys(props), () => {  // the server has answered; with a value of its own only for another photo
  if (!props.value.points.length && !drag) [points, at] = [[], null];
  draw();
});
draw();
