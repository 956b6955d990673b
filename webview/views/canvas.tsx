import { useLayoutEffect, useRef, useState } from 'preact/hooks';

/** Sizes a canvas to whole device pixels and gives a context that counts in CSS pixels. */
export function fitCanvas(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
  const ratio = window.devicePixelRatio || 1;
  const pixelWidth = Math.max(1, Math.round(width * ratio));
  const pixelHeight = Math.max(1, Math.round(height * ratio));
  if (canvas.width !== pixelWidth || canvas.height !== pixelHeight) {
    canvas.width = pixelWidth;
    canvas.height = pixelHeight;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext('2d')!;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/** Puts painted pixels at a place in CSS pixels. */
export function putPixels(
  context: CanvasRenderingContext2D,
  pixels: { width: number; height: number; data: Uint32Array<ArrayBuffer> },
  x: number,
  y: number,
): void {
  const ratio = window.devicePixelRatio || 1;
  const image = new ImageData(new Uint8ClampedArray(pixels.data.buffer), pixels.width, pixels.height);
  context.putImageData(image, Math.round(x * ratio), Math.round(y * ratio));
}

/** The width of an element, followed. */
export function useWidth() {
  const element = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const observed = element.current!;
    setWidth(observed.clientWidth);
    const observer = new ResizeObserver(() => setWidth(observed.clientWidth));
    observer.observe(observed);
    return () => observer.disconnect();
  }, []);
  return { element, width };
}

/** What of the window the drawing depends on. */
export interface Viewport {
  readonly height: number;
  readonly devicePixelRatio: number;
}

function readViewport(): Viewport {
  return { height: window.innerHeight, devicePixelRatio: window.devicePixelRatio || 1 };
}

/** The window's height and pixel density, followed. */
export function useViewport(): Viewport {
  const [viewport, setViewport] = useState(readViewport);
  useLayoutEffect(() => {
    const onResize = () => setViewport(readViewport());
    window.addEventListener('resize', onResize);
    return () => window.removeEventListener('resize', onResize);
  }, []);
  return viewport;
}
