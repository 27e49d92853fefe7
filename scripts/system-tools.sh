#!/usr/bin/env bash
# Install Debian's tools for the tests if root; otherwise say what the tests won't cover.
# usage: scripts/system-tools.sh [TOOL …]; under CI=true a missing tool is a failure.
set -uo pipefail
declare -A package=([chromium]=chromium [prometheus-pushgateway]=prometheus-pushgateway [psql]=postgresql [cron]=cron [cc]=gcc [sshd]=openssh-server [docker-registry]=docker-registry [zsh]=zsh [fish]=fish [man]=man-db [mandoc]=mandoc)
declare -A covers=([chromium]="the sandbox's page in a browser" [prometheus-pushgateway]="the real Pushgateway" [psql]="PostgreSQL, several replicas" [cron]="schedules as Debian's cron runs them" [cc]="schedules as Debian's cron runs them" [sshd]="a real SSH server's host keys" [docker-registry]="a real registry of images" [zsh]="completion in zsh" [fish]="completion in fish" [man]="the man page" [mandoc]="the man page")
[ $# -gt 0 ] || set -- chromium prometheus-pushgateway psql cron cc sshd docker-registry zsh fish man mandoc
export PATH=$PATH:/usr/sbin  # where cron and sshd are

missing=()
for tool in "$@"; do command -v "$tool" >/dev/null || missing+=("$tool"); done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    names=()
    for tool in "${missing[@]}"; do names+=("${package[$tool]}"); done
    # Fonts, so that screenshots look as on a user's machine.
    case " ${names[*]} " in *" gcc "*) names+=(libc6-dev) ;; esac
    case " ${names[*]} " in *" chromium "*) names+=(fonts-noto-color-emoji fonts-inter fonts-noto-core) ;; esac
    echo "Installing ${names[*]} (once)"
    # Debian's package starts a service; the tests start their own.
    export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${names[@]}"; } >/dev/null 2>&1
fi

status=0
for tool in "$@"; do
    command -v "$tool" >/dev/null && continue
    echo "not covered: ${covers[$tool]} ($tool is missing; as root: apt install ${package[$tool]})"
    [ "${CI:-}" != true ] || status=1
done
exit $status
