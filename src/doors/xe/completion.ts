/** `xe completion bash|zsh|fish`: scripts made from the declarations. */
import { XeError } from './arguments.ts';
import { commands } from './commands.ts';
import { verbsOf } from './family.ts';
import { families } from './records/index.ts';

/** Command to the parameters that it takes, each with `=`. */
function parameters(): ReadonlyMap<string, readonly string[]> {
  const out = new Map<string, readonly string[]>();
  const selectors = { VM: ['vm='], host: ['host='], SR: ['sr='] } as const;
  const word = (name: string) => (name.endsWith(':') ? name : `${name}=`);
  for (const c of commands)
    if (!c.hidden && !c.absent)
      out.set(c.name, [...[...c.required, ...c.optional].map(word), ...(c.select ? selectors[c.select] : [])]);
  for (const f of families) {
    const fields = f.record.rows.filter((r) => !r.hidden).map((r) => `${r.name}=`);
    const settable = f.record.rows
      .filter((r) => r.settable || r.addable)
      .map((r) => (r.kind === 'map' ? `${r.name}:` : `${r.name}=`));
    for (const verb of verbsOf(f)) {
      const own = { list: ['params=', ...fields], 'param-list': ['uuid='], 'param-set': ['uuid=', ...settable] };
      const rest = ['uuid=', 'param-name=', 'param-key='];
      out.set(`${f.prefix}-${verb}`, (own as Readonly<Record<string, readonly string[]>>)[verb] ?? rest);
    }
  }
  return new Map([...out].sort(([a], [b]) => a.localeCompare(b)));
}

const flags = ['--minimal', '--multiple', '--force', '--json', '--progress'];

/** One `case` line per distinct list of parameters. */
function cases(line: (names: readonly string[], params: readonly string[]) => string): string {
  const same = new Map<string, string[]>();
  for (const [name, params] of parameters()) {
    const key = params.join(' ');
    same.set(key, [...(same.get(key) ?? []), name]);
  }
  return [...same].map(([params, names]) => line(names, params.split(' '))).join('\n');
}

function bash(): string {
  return `# bash completion for xe; load it with:  source <(xe completion bash)
_xe() {
  local line=\${COMP_LINE:0:COMP_POINT} cmd= word params i skip=
  # '=' and ':' split words in bash; the last blank-free piece of the line is what is being typed
  word=\${line##* }
  for ((i = 1; i < COMP_CWORD; i++)); do
    if [[ $skip ]]; then skip=; continue; fi
    case \${COMP_WORDS[i]} in
      -s|-p|-u|-pw|-pwf|--fingerprint) skip=1 ;;
      -*) ;;
      *) cmd=\${COMP_WORDS[i]}; break ;;
    esac
  done
  [[ $skip ]] && return
  if [[ -z $cmd ]]; then
    COMPREPLY=($(compgen -W "help completion ${[...parameters().keys()].join(' ')}" -- "$word")); return
  fi
  case $cmd in
${cases((names, params) => `    ${names.join('|')}) params="${params.join(' ')}" ;;`)}
  esac
  [[ $word == *=* ]] && { COMPREPLY=(); return; }
  COMPREPLY=($(compgen -W "$params ${flags.join(' ')}" -- "$word"))
}
complete -o nospace -o default -F _xe xe`;
}

function zsh(): string {
  return `#compdef xe
# zsh completion for xe; load it with:  source <(xe completion zsh)
_xe() {
  local -a names params
  if (( CURRENT == 2 )); then
    names=(help completion ${[...parameters().keys()].join(' ')})
    compadd -a names; return
  fi
  case $words[2] in
${cases((names, params) => `    ${names.join('|')}) params=(${params.map((p) => `'${p}'`).join(' ')}) ;;`)}
  esac
  compadd -S '' -a params
  compadd -- ${flags.join(' ')}
}
compdef _xe xe`;
}

function fish(): string {
  const lines = [...parameters()].map(
    ([name, params]) => `complete -c xe -f -n '__fish_seen_subcommand_from ${name}' -a '${params.join(' ')}'`,
  );
  return `# fish completion for xe; load it with:  xe completion fish | source
complete -c xe -f -n '__fish_use_subcommand' -a 'help completion ${[...parameters().keys()].join(' ')}'
${flags.map((f) => `complete -c xe -f -l ${f.slice(2)}`).join('\n')}
${lines.join('\n')}`;
}

/** Throws `XeError` for another shell. */
export function completion(shell: string): string {
  const shells: Readonly<Record<string, () => string>> = { bash, zsh, fish };
  const make = shells[shell];
  if (!make) throw new XeError(`There is no completion for ${JSON.stringify(shell)}; use bash, zsh or fish`);
  return make();
}
