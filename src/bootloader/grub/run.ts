/**
 * Runs a GRUB 2 configuration far enough to know its menu, then the entry that is chosen. What only concerns a screen or other
 * hardware does nothing. Every loop, call and expansion is counted: a hostile script ends with an error, not with the host's time.
 */
import { fileRef } from '../devices.ts';
import { type FileRef, type Files, type Item, type Menu, nothing, type Target } from '../menu.ts';
import { commands, type Machine } from './commands.ts';
import { type Node, parse, type Word } from './syntax.ts';

const limits = { steps: 20_000, letters: 8 << 20, depth: 24, value: 65_536, items: 1_000, words: 10_000 } as const;

/** What is left of the script's allowance; its submenus and entries share it. */
interface Budget {
  steps: number;
  /** Characters of words put together. */
  letters: number;
}

/** The menu of a `grub.cfg`. */
export async function grubMenu(files: Files, file: FileRef, text: string): Promise<Menu> {
  const slash = file.path.lastIndexOf('/');
  const grub = new Grub(files, file, {
    root: file.volume,
    prefix: `(${file.volume})${file.path.slice(0, slash)}`,
    config_directory: `(${file.volume})${file.path.slice(0, slash)}`,
    config_file: `(${file.volume})${file.path}`,
    // What GRUB's own builds for Xen's guests say of themselves.
    grub_platform: 'xen',
    grub_cpu: 'x86_64',
    feature_menuentry_id: 'y',
    feature_menuentry_options: 'y',
    feature_default_font_path: 'y',
    feature_platform_search_hint: 'y',
    feature_timeout_style: 'y',
    feature_200_final: 'y',
  });
  await grub.script(text);
  return grub.menu();
}

/** A command that ends the function, or the script, that it stands in. */
class Return extends Error {}

class Grub implements Machine {
  readonly files: Files;
  readonly variables: Map<string, string>;
  kernel: FileRef | undefined;
  cmdline = '';
  ramdisks: FileRef[] = [];
  readonly #file: FileRef;
  readonly #functions = new Map<string, readonly Node[]>();
  readonly #budget: Budget;
  #items: Item[] = [];
  #args: readonly string[] = [];
  #status = true;
  #depth = 0;

  constructor(
    files: Files,
    file: FileRef,
    variables: Readonly<Record<string, string>> | Map<string, string>,
    budget: Budget = { steps: limits.steps, letters: limits.letters },
  ) {
    this.files = files;
    this.#file = file;
    this.variables = variables instanceof Map ? new Map(variables) : new Map(Object.entries(variables));
    this.#budget = budget;
  }
  menu(): Menu {
    return { items: this.#items, preferred: this.variable('default') };
  }
  variable(name: string): string {
    if (name === '?') return this.#status ? '0' : '1';
    if (name === '#') return String(this.#args.length);
    if (name === '*' || name === '@') return this.#args.join(' ');
    if (/^\d$/.test(name)) return this.#args[Number(name) - 1] ?? '';
    return this.variables.get(name) ?? '';
  }
  set(name: string, value: string): void {
    if (value.length > limits.value) throw this.#refuse(`the variable ${name.slice(0, 50)} grows too long`);
    if (this.variables.size >= limits.items && !this.variables.has(name))
      throw this.#refuse('it sets too many variables');
    this.variables.set(name, value);
  }
  /** The volume that file names without a device are on. */
  get root(): string {
    return this.variable('root').replace(/^\(|\)$/g, '');
  }
  file(name: string): FileRef | undefined {
    const onRoot = fileRef(this.files.volumes, `(${this.root})/`, '');
    return fileRef(this.files.volumes, name, onRoot?.volume ?? this.#file.volume);
  }
  addItems(items: readonly Item[]): void {
    if (this.#items.length + items.length > limits.items) throw this.#refuse('its menu has too many entries');
    this.#items.push(...items);
  }
  dropItems(): void {
    this.#items = [];
  }
  /** Runs another script in this one's place. */
  async script(text: string): Promise<boolean> {
    const nodes = parse(text);
    return this.#deeper(() => this.#returning(() => this.#run(nodes)));
  }
  async #run(nodes: readonly Node[]): Promise<boolean> {
    for (const node of nodes) this.#status = await this.#one(node);
    return this.#status;
  }
  async #one(node: Node): Promise<boolean> {
    this.#step();
    switch (node.do) {
      case 'command':
        return this.#command(node);
      case 'function':
        this.#functions.set(node.name, node.body);
        return true;
      case 'if':
        for (const arm of node.arms) if (await this.#deeper(() => this.#run(arm.condition))) return this.#run(arm.body);
        return this.#run(node.otherwise);
      case 'while':
        while ((await this.#run(node.condition)) !== node.until) {
          this.#step();
          await this.#run(node.body);
        }
        return true;
      case 'for':
        for (const value of this.#expand(node.words)) {
          this.#step();
          this.set(node.name, value);
          await this.#run(node.body);
        }
        return true;
    }
  }
  async #command(node: Node & { do: 'command' }): Promise<boolean> {
    const [name = '', ...args] = this.#expand(node.words);
    if (node.block) return this.#entry(name, args, node.block);
    if (name === 'return') {
      this.#status = (args[0] ?? '0') === '0';
      throw new Return();
    }
    const body = this.#functions.get(name);
    if (body) return this.#call(body, args);
    const assignment = /^([A-Za-z_]\w*)=(.*)$/s.exec(name);
    if (assignment && args.length === 0) {
      this.set(assignment[1] ?? '', assignment[2] ?? '');
      return true;
    }
    const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
    // Commands of hardware, and those that nobody knows, fail as GRUB's do whose module is not there.
    return command ? command(this, args) : false;
  }
  async #call(body: readonly Node[], args: readonly string[]): Promise<boolean> {
    const before = this.#args;
    this.#args = args;
    try {
      return await this.#deeper(() => this.#returning(() => this.#run(body)));
    } finally {
      this.#args = before;
    }
  }
  #entry(command: string, args: readonly string[], block: readonly Node[]): boolean {
    const ids: string[] = [];
    const titles: string[] = [];
    for (let i = 0; i < args.length; i++) {
      const arg = args[i] ?? '';
      const value = /^--(?:id|class|users|hotkey|source)=(.*)$/s.exec(arg)?.[1];
      if (arg === '--unrestricted') continue;
      if (arg.startsWith('--id=') && value !== undefined) ids.push(value);
      else if (arg === '--id') ids.push(args[++i] ?? '');
      else if (value !== undefined) continue;
      else if (/^--(class|users|hotkey|source)$/.test(arg)) i++;
      else titles.push(arg);
    }
    const [title = '', ...rest] = titles;
    const open = async (): Promise<Target | Menu> => {
      const inner = new Grub(this.files, this.#file, this.variables, this.#budget);
      for (const [name, body] of this.#functions) inner.#functions.set(name, body);
      inner.#args = rest;
      inner.set('chosen', title);
      // A submenu's default is not that of the menu that it is in.
      if (command === 'submenu') inner.set('default', '');
      await inner.#returning(() => inner.#run(block));
      return command === 'submenu' ? inner.menu() : inner.#target(title);
    };
    this.addItems([{ title, ids, open }]);
    return true;
  }
  #target(title: string): Target {
    if (!this.kernel) throw this.#refuse(`the entry ${JSON.stringify(title)} starts no Linux kernel`);
    return { kernel: this.kernel, ramdisks: this.ramdisks, cmdline: this.cmdline };
  }
  /** The words with variables put in; unquoted ones are split at spaces and vanish when empty. */
  #expand(words: readonly Word[]): string[] {
    const found: string[] = [];
    for (const word of words) {
      let text = '';
      let there = false;
      for (const piece of word) {
        const value = 'text' in piece ? piece.text : this.variable(piece.variable);
        const [head = '', ...tail] = 'variable' in piece && !piece.quoted ? value.split(/[ \t\n]+/) : [value];
        text += head;
        there ||= piece.quoted || head !== '';
        for (const next of tail) {
          if (there) found.push(text);
          text = next;
          there = next !== '';
        }
        this.#budget.letters -= value.length;
        if (this.#budget.letters < 0 || text.length > limits.value || found.length > limits.words)
          throw this.#refuse('a command grows too long');
      }
      if (there) found.push(text);
    }
    return found;
  }
  async #deeper<T>(f: () => Promise<T>): Promise<T> {
    if (++this.#depth > limits.depth) throw this.#refuse('functions and scripts call each other too deep');
    const result = await f();
    this.#depth--;
    return result;
  }
  async #returning(f: () => Promise<boolean>): Promise<boolean> {
    const depth = this.#depth;
    try {
      return await f();
    } catch (error) {
      if (!(error instanceof Return)) throw error;
      this.#depth = depth;
      return this.#status;
    }
  }
  #step(): void {
    if (--this.#budget.steps < 0) throw this.#refuse(`it runs more than ${limits.steps} commands`);
  }
  #refuse(reason: string): Error {
    return nothing(`${this.#file.path}: ${reason}`);
  }
}
