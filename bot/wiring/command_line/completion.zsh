#compdef agentpod
# zsh completion for agentpod, written by `agentpod completion zsh`.

# TABLES
# WALK
_agentpod() {
    local line cur=${words[CURRENT]}
    local -a before=("${(@Q)words[2,CURRENT-1]}") described=()
    if [[ $cur == --*=* ]]; then
        before+=("${cur%%=*}")
        compset -P '*='
        cur=''
    fi
    local files=0
    while IFS= read -r line; do
        if [[ $line == @files ]]; then
            files=1
            continue
        fi
        # _describe takes WORD:DESCRIPTION.
        local word=${line%%$'\t'*} about=''
        [[ $line == *$'\t'* ]] && about=${line#*$'\t'}
        described+=("${word//:/\\:}${about:+:$about}")
    done < <(__agentpod_candidates "$cur" "${before[@]}")
    (( $#described )) && _describe -t agentpod agentpod described
    (( files )) && _files
}

if [[ ${funcstack[1]:-} == _agentpod ]]; then
    _agentpod "$@"
else
    compdef _agentpod agentpod
fi
