// A small WebGL 2 viewer: triangles, points, lines; vertex colours or a texture; mouse and keys.
"use strict";

const VERTEX_SHADER = `#version 300 es
in vec3 position; in vec3 color; in vec2 place;
uniform mat4 clipFromWorld; uniform vec3 low; uniform vec3 size; uniform float pointSize;
out vec3 vColor; out vec3 vWorld; out vec2 vPlace;
void main() {
  vWorld = low + position * size; vColor = color; vPlace = place;
  gl_Position = clipFromWorld * vec4(vWorld, 1.0); gl_PointSize = pointSize;
}`;
const FRAGMENT_SHADER = `#version 300 es
precision highp float;
in vec3 vColor; in vec3 vWorld; in vec2 vPlace; out vec4 outColor;
uniform sampler2D picture; uniform bool textured; uniform bool clay; uniform bool lit; uniform bool triangles; uniform vec3 eye;
void main() {
  vec3 own = textured ? texture(picture, vPlace).rgb : vColor;
  vec3 color = own;
  if (triangles && (clay || lit)) {
    vec3 normal = normalize(cross(dFdx(vWorld), dFdy(vWorld)));
    float shade = 0.25 + 0.7 * abs(dot(normal, normalize(eye - vWorld)));
    color = clay ? vec3(shade) : shade * own;
  }
  if (triangles && !gl_FrontFacing) color = mix(color, vec3(0.5), 0.35) * 0.6;
  outColor = vec4(color, 1.0);
}`;

const sub = (a, b) => a.map((x, i) => x - b[i]);
const addScaled = (a, b, s) => a.map((x, i) => x + b[i] * s);
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a, b) =>
  [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const unit = (a) => a.map((x) => x / (Math.hypot(...a) || 1));

function bytesOf(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

function rotate(v, axis, angle) {
  const c = Math.cos(angle), s = Math.sin(angle), k = dot(axis, v) * (1 - c), x = cross(axis, v);
  return v.map((value, i) => value * c + x[i] * s + axis[i] * k);
}

function buildProgram(gl) {
  const program = gl.createProgram();
  for (const [kind, source] of
    [[gl.VERTEX_SHADER, VERTEX_SHADER], [gl.FRAGMENT_SHADER, FRAGMENT_SHADER]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw gl.getProgramInfoLog(program);
  return program;
}

// The picture of a layer; grey until it is decoded.
function buildTexture(gl, source, redraw) {
  const texture = gl.createTexture();
  const fill = (...pixels) => {
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, ...pixels);
  };
  fill(1, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array([128, 128, 128, 255]));
  const image = new Image();
  image.onload = () => {
    fill(gl.RGBA, gl.UNSIGNED_BYTE, image);
    gl.generateMipmap(gl.TEXTURE_2D);
    redraw();
  };
  image.src = source;
  return texture;
}

function buildLayer(gl, program, layer, redraw) {
  const array = gl.createVertexArray();
  gl.bindVertexArray(array);
  const attribute = (name, data, type, parts) => {
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
    const location = gl.getAttribLocation(program, name);
    gl.enableVertexAttribArray(location);
    gl.vertexAttribPointer(location, parts, type, true, 0, 0);
  };
  const positions = new Uint16Array(bytesOf(layer.positions).buffer);
  attribute("position", positions, gl.UNSIGNED_SHORT, 3);
  if (layer.colors) attribute("color", bytesOf(layer.colors), gl.UNSIGNED_BYTE, 3);
  if (layer.places)
    attribute("place", new Uint16Array(bytesOf(layer.places).buffer), gl.UNSIGNED_SHORT, 2);
  const texture = layer.texture ? buildTexture(gl, layer.texture, redraw) : null;
  let count = positions.length / 3;
  if (layer.indices) {
    const indices = new Uint32Array(bytesOf(layer.indices).buffer);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, indices, gl.STATIC_DRAW);
    count = indices.length;
  }
  const mode = { triangles: gl.TRIANGLES, points: gl.POINTS, lines: gl.LINES }[layer.kind];
  return { array, count, mode, layer, texture, shown: layer.shown };
}

// How much the window's sides shrink what is seen at distance 1.
function scales(aspect) {
  const f = 1 / Math.tan(0.45);
  return aspect > 1 ? [f / aspect, f] : [f, f * aspect];
}

// The first view, as near as the window's shape allows it to show all that is to be seen.
function fitted(scene, aspect) {
  const view = { eye: scene.eye, target: scene.target, up: unit(scene.up) };
  if (!scene.seen.length) return view;
  const back = unit(sub(view.eye, view.target));
  const right = unit(cross(view.up, back)), up = cross(back, right);
  const [sx, sy] = scales(aspect);
  const distances = scene.seen.map((point) => {
    const arm = sub(point, view.target);
    const wide = Math.max(Math.abs(dot(arm, right)) * sx, Math.abs(dot(arm, up)) * sy);
    return dot(arm, back) + 1.05 * wide;
  });
  view.eye = addScaled(view.target, back, Math.max(...distances));
  return view;
}

function clipFromWorld(view, aspect) {
  const back = unit(sub(view.eye, view.target));
  const right = unit(cross(view.up, back));
  const up = cross(back, right);
  const distance = Math.hypot(...sub(view.eye, view.target));
  const near = distance / 100, far = distance * 100;
  const [sx, sy] = scales(aspect);
  const zz = (far + near) / (near - far), zw = (2 * far * near) / (near - far);
  const matrix = new Float32Array(16);
  const rows = [[right, sx], [up, sy]];
  rows.forEach(([axis, scale], row) => {
    for (let i = 0; i < 3; i++) matrix[i * 4 + row] = axis[i] * scale;
    matrix[12 + row] = -dot(axis, view.eye) * scale;
  });
  for (let i = 0; i < 3; i++) {
    matrix[i * 4 + 2] = back[i] * zz;
    matrix[i * 4 + 3] = -back[i];
  }
  matrix[14] = -dot(back, view.eye) * zz + zw;
  matrix[15] = dot(back, view.eye);
  return matrix;
}

function startViewer(figure) {
  const canvas = figure.querySelector("canvas");
  const scene = JSON.parse(figure.querySelector("script").textContent);
  const gl = canvas.getContext("webgl2", { antialias: true });
  if (!gl) {
    figure.classList.add("no-webgl");
    return;
  }
  const program = buildProgram(gl);
  const uniform = (name) => gl.getUniformLocation(program, name);
  const aspect = () => canvas.clientWidth / Math.max(canvas.clientHeight, 1);
  const home = () => fitted(scene, aspect() || 1);
  let view = home(), moved = false, clay = false, seeThrough = false, queued = false, layers = [];

  function draw() {
    queued = false;
    if (!moved) view = home();
    const scale = Math.min(window.devicePixelRatio || 1, 2);
    canvas.width = Math.round(canvas.clientWidth * scale);
    canvas.height = Math.round(canvas.clientHeight * scale);
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0.09, 0.1, 0.12, 1);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.enable(gl.DEPTH_TEST);
    gl.useProgram(program);
    gl.uniformMatrix4fv(
      uniform("clipFromWorld"), false, clipFromWorld(view, canvas.width / canvas.height));
    gl.uniform3fv(uniform("eye"), view.eye);
    gl.uniform1i(uniform("clay"), clay ? 1 : 0);
    gl.uniform1i(uniform("lit"), scene.lit ? 1 : 0);
    gl.uniform1f(uniform("pointSize"), 2 * scale);
    (seeThrough ? gl.enable : gl.disable).call(gl, gl.CULL_FACE);
    for (const { array, count, mode, layer, texture, shown } of layers) {
      if (!shown) continue;
      gl.uniform3fv(uniform("low"), layer.low);
      gl.uniform3fv(uniform("size"), layer.size);
      gl.uniform1i(uniform("triangles"), mode === gl.TRIANGLES ? 1 : 0);
      gl.uniform1i(uniform("textured"), texture ? 1 : 0);
      gl.bindTexture(gl.TEXTURE_2D, texture);
      gl.bindVertexArray(array);
      if (layer.indices) gl.drawElements(mode, count, gl.UNSIGNED_INT, 0);
      else gl.drawArrays(mode, 0, count);
    }
  }
  const change = (act, ...how) => {
    moved = true;
    act(...how);
  };
  const redraw = () => {
    if (!queued) requestAnimationFrame(draw);
    queued = true;
  };
  layers = scene.layers.map((layer) => buildLayer(gl, program, layer, redraw));

  function orbit(dx, dy) {
    let arm = rotate(sub(view.eye, view.target), view.up, -dx * 0.008);
    const right = unit(cross(view.up, arm));
    const tilted = rotate(arm, right, -dy * 0.008);
    if (Math.abs(dot(unit(tilted), view.up)) < 0.995) arm = tilted;
    view.eye = addScaled(view.target, arm, 1);
  }
  function pan(dx, dy) {
    const arm = sub(view.eye, view.target);
    const right = unit(cross(view.up, arm)), up = unit(cross(arm, right));
    const step = Math.hypot(...arm) / canvas.clientHeight;
    for (const end of ["eye", "target"])
      view[end] = addScaled(addScaled(view[end], right, -dx * step), up, dy * step);
  }
  const zoom = (factor) => {
    view.eye = addScaled(view.target, sub(view.eye, view.target), factor);
  };

  const pointers = new Map();
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, [event.clientX, event.clientY]);
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = [event.clientX, event.clientY];
    const [dx, dy] = sub(now, before);
    if (pointers.size === 2) {
      const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
      change(zoom, Math.hypot(...sub(before, other)) / Math.max(Math.hypot(...sub(now, other)), 1));
      change(pan, dx / 2, dy / 2);
    } else change(event.shiftKey || event.buttons & 6 ? pan : orbit, dx, dy);
    pointers.set(event.pointerId, now);
    redraw();
  });
  for (const end of ["pointerup", "pointercancel"])
    canvas.addEventListener(end, (event) => pointers.delete(event.pointerId));
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    change(zoom, Math.exp(event.deltaY * 0.001));
    redraw();
  }, { passive: false });
  const reset = () => { moved = false; redraw(); };
  canvas.addEventListener("dblclick", reset);

  const STEP = 24, ARROWS = {
    ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP],
  };
  canvas.addEventListener("keydown", (event) => {
    const arrow = ARROWS[event.key];
    if (arrow) change(event.shiftKey ? pan : orbit, ...arrow);
    else if (event.key === "+" || event.key === "=") change(zoom, 0.85);
    else if (event.key === "-") change(zoom, 1 / 0.85);
    else if (event.key === "0" || event.key === "Home") reset();
    else return;
    event.preventDefault();
    redraw();
  });

  const buttons = figure.querySelector(".buttons");
  const button = (label, pressed, act) => {
    const element = document.createElement("button");
    element.type = "button";
    element.textContent = label;
    if (pressed !== null) element.setAttribute("aria-pressed", pressed);
    element.addEventListener("click", () => {
      const on = element.getAttribute("aria-pressed") !== "true";
      if (pressed !== null) element.setAttribute("aria-pressed", on);
      act(on);
      redraw();
    });
    buttons.append(element);
  };
  if (layers.length > 1)
    for (const entry of layers) button(entry.layer.name, entry.shown, (on) => { entry.shown = on; });
  if (scene.layers.some((layer) => layer.kind === "triangles")) {
    button("Clay", false, (on) => { clay = on; });
    button("Hide backs", false, (on) => { seeThrough = on; });
  }
  button("Reset view", null, reset);
  new ResizeObserver(redraw).observe(canvas);
  redraw();
}

document.querySelectorAll("figure.viewer").forEach(startViewer);

const dialog = document.querySelector("dialog.zoom");
const enlarge = (image) => {
  dialog.querySelector("img").src = image.src;
  dialog.querySelector("img").alt = image.alt;
  dialog.showModal();
};
document.addEventListener("click", (event) => {
  if (event.target.closest("dialog.zoom")) dialog.close();
  else if (event.target.matches("img.zoomable")) enlarge(event.target);
});
document.addEventListener("keydown", (event) => {
  if (event.target.matches("img.zoomable") && (event.key === "Enter" || event.key === " ")) {
    event.preventDefault();
    enlarge(event.target);
  }
});
