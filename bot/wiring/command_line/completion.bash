# bash completion for agentpod, written by `agentpod completion bash`.

# TABLES
# WALK
_agentpod() {
    local cur=${COMP_WORDS[COMP_CWORD]} line='' word=''
    local -a before=()
    local index
    for ((index = 1; index < COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]}
        # bash takes --flag=value for three words.
        [[ $word == '=' ]] || before+=("$word")
    done
    [[ $cur == '=' ]] && cur=''
    COMPREPLY=()
    while IFS= read -r line; do
        if [[ $line == @files ]]; then
            while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$cur")
            compopt -o filenames 2>/dev/null
            continue
        fi
        word=${line%%$'\t'*}
        if [[ $word == "$cur"* ]]; then
            printf -v word %q "$word"
            COMPREPLY+=("$word")
        fi
    done < <(__agentpod_candidates "$cur" "${before[@]}")
}

complete -F _agentpod agentpod
