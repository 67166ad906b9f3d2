/**
 * A text screen: bytes in, cells out. The terminal itself (escape sequences, modes, wide characters) is xterm.js without a
 * browser; this makes flat cells of it, whose colours are settled, and says which have changed.
 */
import headless, { type IBufferCell, type Terminal as Xterm } from '@xterm/headless';

export const size = { columns: 80, rows: 25 } as const;

/** Three words a cell: the code point (0 for the right half of a wide one), colour of the ink, colour of the ground (0xRRGGBB). */
export type Cells = Uint32Array;
export const wordsPerCell = 3;

const ink = 0xd0d0d0;
const ground = 0x000000;

export interface TerminalOptions {
  /** The screen may have changed. */
  readonly onChange: () => void;
  /** The terminal answers its guest (a query for the cursor's place, say). */
  readonly onAnswer: (text: string) => void;
}

export class Terminal {
  readonly #xterm: Xterm;
  readonly #palette = palette();
  #cell: IBufferCell | undefined;

  constructor(options: TerminalOptions) {
    this.#xterm = new headless.Terminal({
      cols: size.columns,
      rows: size.rows,
      scrollback: 0,
      allowProposedApi: true,
      convertEol: false,
    });
    this.#xterm.onWriteParsed(() => options.onChange());
    this.#xterm.onData((text) => options.onAnswer(text));
  }
  /** Resolves when it is on the screen: whoever feeds it waits, so that a guest that floods its console fills no memory. */
  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => this.#xterm.write(bytes, resolve));
  }
  /** Arrow keys send other sequences while a program asks for it. */
  get applicationKeys(): boolean {
    return this.#xterm.modes.applicationCursorKeysMode;
  }
  close(): void {
    this.#xterm.dispose();
  }
  /** The screen as it is now. */
  cells(): Cells {
    const shown = new Uint32Array(size.columns * size.rows * wordsPerCell);
    const { active } = this.#xterm.buffer;
    for (let y = 0; y < size.rows; y++) {
      const line = active.getLine(active.viewportY + y);
      for (let x = 0; x < size.columns; x++) {
        this.#cell = line?.getCell(x, this.#cell) ?? this.#cell;
        const at = (y * size.columns + x) * wordsPerCell;
        if (line && this.#cell) this.#fill(shown, at, this.#cell);
        else shown.set([0x20, ink, ground], at);
      }
    }
    this.#drawCursor(shown);
    return shown;
  }
  #fill(shown: Cells, at: number, c: IBufferCell): void {
    const code = c.getWidth() === 0 ? 0 : c.getChars().codePointAt(0) || 0x20;
    let front = this.#colour(c.isFgDefault(), c.isFgRGB(), c.getFgColor(), ink, c.isBold() !== 0);
    let back = this.#colour(c.isBgDefault(), c.isBgRGB(), c.getBgColor(), ground, false);
    if (c.isInverse()) [front, back] = [back, front];
    if (c.isDim()) front = (front >> 1) & 0x7f7f7f;
    shown[at] = c.isInvisible() ? 0x20 : code;
    shown[at + 1] = front;
    shown[at + 2] = back;
  }
  #colour(isDefault: boolean, isRgb: boolean, value: number, fallback: number, bright: boolean): number {
    if (isDefault) return bright ? 0xffffff : fallback;
    if (isRgb) return value;
    return this.#palette[bright && value < 8 ? value + 8 : value] ?? fallback;
  }
  #drawCursor(shown: Cells): void {
    const { cursorX, cursorY } = this.#xterm.buffer.active;
    const at = (cursorY * size.columns + Math.min(cursorX, size.columns - 1)) * wordsPerCell;
    const [front = ink, back = ground] = shown.subarray(at + 1, at + 3);
    shown[at + 1] = back;
    shown[at + 2] = front;
  }
}
/** The 256 colours of xterm: 16 named, a cube of 6 × 6 × 6, and 24 greys. */
function palette(): readonly number[] {
  const named = [
    0x000000, 0xcd0000, 0x00cd00, 0xcdcd00, 0x3a5fcd, 0xcd00cd, 0x00cdcd, 0xe5e5e5, 0x7f7f7f, 0xff0000, 0x00ff00,
    0xffff00, 0x5c5cff, 0xff00ff, 0x00ffff, 0xffffff,
  ];
  const step = [0, 95, 135, 175, 215, 255];
  const cube = step.flatMap((r) => step.flatMap((g) => step.map((b) => (r << 16) | (g << 8) | b)));
  const greys = Array.from({ length: 24 }, (_, i) => (8 + 10 * i) * 0x010101);
  return [...named, ...cube, ...greys];
}
