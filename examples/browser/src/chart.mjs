/** Bytes over time, drawn without a library. @module */

/**
 * @param {HTMLCanvasElement} canvas
 * @param {readonly { received: number, sent: number }[]} history newest last
 * @param {number} points how many fit
 * @param {(most: number) => string} label names the largest value
 */
export function drawChart(canvas, history, points, label) {
  const context = canvas.getContext("2d");
  if (!context) return;
  const scale = globalThis.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  if (canvas.width !== width * scale) {
    canvas.width = width * scale;
    canvas.height = height * scale;
  }
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  const style = getComputedStyle(canvas);
  const [accent, soft, line] = ["--accent", "--soft", "--line"].map((name) =>
    colour(canvas, style.getPropertyValue(name)),
  );
  const most = Math.max(1, ...history.flatMap(({ received, sent }) => [received, sent]));
  context.fillStyle = line;
  context.fillRect(0, height - 1, width, 1);
  const area = height - 18;
  const step = width / (points - 1);
  for (const [name, ink] of /** @type {const} */ ([
    ["sent", accent],
    ["received", soft],
  ])) {
    context.beginPath();
    for (const [index, value] of history.entries()) {
      const x = (points - history.length + index) * step;
      context.lineTo(x, height - 2 - (value[name] / most) * area);
    }
    context.strokeStyle = ink;
    context.lineWidth = 1.75;
    context.lineJoin = "round";
    context.stroke();
  }
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = soft;
  context.fillText(most > 1 ? `${label(most)} at most` : "no traffic in the last minute", 0, 11);
  context.textAlign = "right";
  context.fillText("received", width, 11);
  context.fillStyle = accent;
  context.fillText("sent", width - 54, 11);
  context.textAlign = "left";
}

/** `light-dark()` is for properties and not for a canvas: asks what it comes to. */
function colour(canvas, value) {
  canvas.style.color = value;
  const { color } = getComputedStyle(canvas);
  canvas.style.color = "";
  return color;
}
