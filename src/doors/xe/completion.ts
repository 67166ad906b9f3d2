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

const names = () => ['help', 'completion', ...parameters().keys()].join(' ');
/** Longest first, so that `host-cpu-list` is not taken for one of `host`'s. */
const prefixes = () => families.map((f) => f.prefix).sort((a, b) => b.length - a.length);
/** Options before the command that take a word of their own. */
const withValue = ['-s', '-p', '-u', '-pw', '-pwf', '--fingerprint'];
const fileParameters = () => {
  const named = commands.flatMap((c) => [c.file ?? 'filename', ...c.optional.filter((name) => name.endsWith('-file'))]);
  return [...new Set(['filename', 'file-name', ...named])];
};

function bash(): string {
  return `# bash completion for xe; load it with:  source <(xe completion bash)
_xe() {
  local line=\${COMP_LINE:0:COMP_POINT} cmd= word key cur params class i skip=
  COMPREPLY=()
  # '=' and ':' split words in bash; the last blank-free piece of the line is what is being typed
  word=\${line##* }
  for ((i = 1; i < COMP_CWORD; i++)); do
    if [[ $skip ]]; then skip=; continue; fi
    case \${COMP_WORDS[i]} in
      ${withValue.join('|')}) skip=1 ;;
      -*) ;;
      *) cmd=\${COMP_WORDS[i]}; break ;;
    esac
  done
  [[ $skip ]] && return
  case $cmd in
    '') params="${names()}" ;;
    help) params="$(_xe_commands)" ;;
    completion) params="bash zsh fish" ;;
    *) _xe_params "$cmd" ;;
  esac
  if [[ -z $cmd || $cmd == help || $cmd == completion || $word == -* ]]; then
    [[ $word == -* ]] && params="${flags.join(' ')}"
    compopt +o nospace
    COMPREPLY=($(compgen -W "$params" -- "$word")); return
  fi
  if [[ $word != *=* ]]; then
    COMPREPLY=($(compgen -W "$params ${flags.join(' ')}" -- "$word")); return
  fi
  key=\${word%%=*} cur=\${word#*=} class=
  case $cmd in
${prefixes()
  .map((p) => `    ${p}-*) class=${p} ;;`)
  .join('\n')}
  esac
  case $key in
    params|param-name)
      [[ $class ]] && _xe_params "$class-list"
      params=" \${params//= / } "; params=\${params//=/}
      i=; [[ $key == params && $cur == *,* ]] && i=\${cur%,*},
      COMPREPLY=($(compgen -P "$i" -W "\${params/ params / }" -- "\${cur##*,}")) ;;
    ${fileParameters().join('|')})
      local IFS=$'\\n'; compopt -o filenames +o nospace
      COMPREPLY=($(compgen -f -- "$cur")) ;;
    uuid) [[ $class ]] && _xe_found "$class" uuid ;;
    vm|host|sr|template) _xe_found "$key" name-label ;;
    *-uuid)
      case \${key%-uuid} in
        ${prefixes().join('|')}) _xe_found "\${key%-uuid}" uuid ;;
      esac ;;
  esac
  # where '=' does not split words, the whole word is replaced
  [[ $COMP_WORDBREAKS == *=* ]] || COMPREPLY=("\${COMPREPLY[@]/#/$key=}")
}
_xe_commands() { echo "${[...parameters().keys()].join(' ')}"; }
# The parameters of a command.
_xe_params() {
  params=
  case $1 in
${cases((all, params) => `    ${all.join('|')}) params="${params.join(' ')}" ;;`)}
  esac
}
# What the host has of a class, by a field. Names come from anywhere: they are never expanded.
_xe_found() {
  local all name more=
  [[ $1 == vm ]] && more=is-control-domain=false
  all=$("\${COMP_WORDS[0]}" "$1-list" params="$2" --minimal $more 2> /dev/null < /dev/null) || return
  all=\${all//'\\\\'/$'\\2'}; all=\${all//'\\,'/$'\\1'}; all=\${all//,/$'\\n'}; all=\${all//$'\\1'/,}; all=\${all//$'\\2'/'\\'}
  compopt +o nospace
  while IFS= read -r name; do
    [[ -n $name && $name == "$cur"* ]] && COMPREPLY+=("$(printf %q "$name")")
  done <<< "$all"
}
complete -o nospace -o default -F _xe xe`;
}

function zsh(): string {
  return `#compdef xe
# zsh completion for xe; after compinit:  source <(xe completion zsh)
# or, for good:  xe completion zsh > a folder of $fpath/_xe
_xe() {
  local -a names params
  local cmd= i skip=
  for ((i = 2; i < CURRENT; i++)); do
    if [[ -n $skip ]]; then skip=; continue; fi
    case $words[i] in
      ${withValue.join('|')}) skip=1 ;;
      -*) ;;
      *) cmd=$words[i]; break ;;
    esac
  done
  [[ -n $skip ]] && return
  if [[ -z $cmd || $cmd == help ]]; then
    names=(${names()})
    compadd -a names; return
  fi
  case $cmd in
    completion) compadd bash zsh fish; return ;;
${cases((all, params) => `    ${all.join('|')}) params=(${params.map((p) => `'${p}'`).join(' ')}) ;;`)}
  esac
  case $PREFIX in
    (${fileParameters().join('|')})=*) compset -P '*='; _files; return ;;
  esac
  compadd -S '' -a params
  compadd -- ${flags.join(' ')}
}
if [[ $funcstack[1] == _xe ]]; then _xe "$@"; else compdef _xe xe; fi`;
}

function fish(): string {
  const lines = [...parameters()].map(
    ([name, params]) => `complete -c xe -f -n '__fish_seen_subcommand_from ${name}' -a '${params.join(' ')}'`,
  );
  const before = withValue.map(
    (o) =>
      `complete -c xe -n __xe_no_command -x ${o.startsWith('--') ? `-l ${o.slice(2)}` : `${o.length > 2 ? '-o' : '-s'} ${o.slice(1)}`}`,
  );
  return `# fish completion for xe; load it with:  xe completion fish | source
function __xe_no_command
  set -l skip
  for word in (commandline -opc)[2..]
    if set -q skip[1]
      set -e skip
      continue
    end
    switch $word
      case ${withValue.join(' ')}
        set skip yes
      case '-*'
      case '*'
        return 1
    end
  end
end
complete -c xe -f -n __xe_no_command -a '${names()}'
complete -c xe -f -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'
${before.join('\n')}
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
