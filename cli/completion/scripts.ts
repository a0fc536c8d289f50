/** What a shell is told so that it asks `rotation __complete` for what may stand where the cursor is. */

const bash = `# rotation's completion for bash: eval "$(rotation completion bash)"
_rotation() {
  # Not COMP_WORDS, which are cut at each @, = and : that a name, or an endpoint, may have.
  local words line="\${COMP_LINE:0:COMP_POINT}"
  read -ra words <<< "$line"
  [[ "$line" == *[[:space:]] ]] && words+=('')
  # What stands before the part that bash completes, which is $2, it leaves as it is.
  local taken="\${words[\${#words[@]}-1]%"$2"}" IFS=$'\\n'
  COMPREPLY=($(rotation __complete -- "\${words[@]:1}" 2>/dev/null))
  COMPREPLY=("\${COMPREPLY[@]#"$taken"}")
}
complete -o default -F _rotation rotation
`;

const zsh = `#compdef rotation
# rotation's completion for zsh: eval "$(rotation completion zsh)", after compinit
_rotation() {
  local -a found
  found=("\${(@f)$(rotation __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "$found" ]]; then compadd -a found; else _files; fi
}
compdef _rotation rotation
`;

const fish = `# rotation's completion for fish: rotation completion fish | source
complete -c rotation -a '(rotation __complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
`;

export const SCRIPTS = { bash, zsh, fish };

export type Shell = keyof typeof SCRIPTS;
