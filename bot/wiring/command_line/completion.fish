# fish completion for agentpod, written by `agentpod completion fish`.

# TABLES
function __agentpod_candidates
    set -l cur (commandline -ct)
    set -l before (commandline -opc)
    set -e before[1]
    set -l cmd ''
    set -l want ''
    set -l place 0
    for word in $before
        if test -n "$want"
            set want ''
            continue
        end
        switch "$word"
            case '--*=*'
                continue
            case '-*'
                if __agentpod_values "$cmd|$word" >/dev/null
                    set want $word
                end
                continue
        end
        set -l next (string trim -- "$cmd $word")
        if test $place = 0; and begin; __agentpod_words "$next"; or __agentpod_flags "$next"; end >/dev/null
            set cmd $next
        else
            set place (math $place + 1)
        end
    end
    if test -n "$want"
        __agentpod_values "$cmd|$want"
        return
    end
    switch "$cur"
        case '-*'
            __agentpod_flags "$cmd"
            return
    end
    if test $place = 0
        __agentpod_words "$cmd"
    end
    __agentpod_places "$cmd|$place"
end

function __agentpod_complete
    for line in (__agentpod_candidates)
        if test "$line" = @files
            __fish_complete_path (commandline -ct)
        else
            printf '%s\n' $line
        end
    end
end

complete -c agentpod -f -a '(__agentpod_complete)'
