/** What a terminal sends for a key: X11 keysyms, as RFB's KeyEvent carries them, to bytes. */
const control = { shift: [0xffe1, 0xffe2], ctrl: [0xffe3, 0xffe4], alt: [0xffe9, 0xffea, 0xffe7, 0xffe8] } as const;

const plain: Readonly<Record<number, string>> = {
  65288: '\x7f', // BackSpace
  65289: '\t',
  65290: '\n',
  65293: '\r', // Return
  65307: '\x1b', // Escape
  65421: '\r', // KP_Enter
  65535: '\x1b[3~', // Delete
  65379: '\x1b[2~', // Insert
  65365: '\x1b[5~', // Page_Up
  65366: '\x1b[6~', // Page_Down
  65056: '\x1b[Z', // ISO_Left_Tab
};
/** Keys whose sequence depends on the mode of the cursor keys. */
const cursor: Readonly<Record<number, string>> = {
  65362: 'A', // Up
  65364: 'B', // Down
  65363: 'C', // Right
  65361: 'D', // Left
  65360: 'H', // Home
  65367: 'F', // End
};
const functions = ['OP', 'OQ', 'OR', 'OS', '[15~', '[17~', '[18~', '[19~', '[20~', '[21~', '[23~', '[24~'];
const firstFunction = 0xffbe;
/** The numeric block: keysym − this is the ASCII character. */
const keypad = { first: 0xffaa, last: 0xffb9, offset: 0xff80 } as const;
const unicode = 0x0100_0000;

export class Keyboard {
  readonly #held = new Set<number>();

  /** A key went down or up; what it types ('' for none). `application`: the mode of the cursor keys. */
  key(keysym: number, down: boolean, application: boolean): string {
    if (isModifier(keysym)) {
      if (down) this.#held.add(keysym);
      else this.#held.delete(keysym);
      return '';
    }
    if (!down) return '';
    const typed = this.#typed(keysym, application);
    return typed !== '' && this.#holds(control.alt) ? `\x1b${typed}` : typed;
  }
  #holds(keys: readonly number[]): boolean {
    return keys.some((k) => this.#held.has(k));
  }
  #typed(keysym: number, application: boolean): string {
    const known = plain[keysym];
    if (known !== undefined) return known;
    const arrow = cursor[keysym];
    if (arrow !== undefined) return `\x1b${application ? 'O' : '['}${arrow}`;
    const f = functions[keysym - firstFunction];
    if (f !== undefined) return `\x1b${f}`;
    const text = character(keysym);
    return this.#holds(control.ctrl) ? controlled(text) : text;
  }
}
const isModifier = (keysym: number): boolean => Object.values(control).some((keys) => keys.includes(keysym as never));

function character(keysym: number): string {
  if (keysym >= keypad.first && keysym <= keypad.last) return String.fromCharCode(keysym - keypad.offset);
  if ((keysym >= 0x20 && keysym < 0x7f) || (keysym >= 0xa0 && keysym <= 0xff)) return String.fromCharCode(keysym);
  const code = keysym - unicode;
  return code >= 0xa0 && code <= 0x10_ffff && (code < 0xd800 || code > 0xdfff) ? String.fromCodePoint(code) : '';
}
/** `^A` to `^Z`, `^[`, `^\`, `^]`, `^^`, `^_`, `^@`. */
function controlled(text: string): string {
  const code = text.toUpperCase().charCodeAt(0);
  if (text === ' ') return '\0';
  if (text === '?') return '\x7f';
  return code >= 0x40 && code <= 0x5f ? String.fromCharCode(code & 0x1f) : text;
}
