"""Settings with two targets and roles of their own, and policy cases that fit them, for tests."""

from __future__ import annotations

SETTINGS = """\
access:
  roles:
    quiet-operator: [viewer, handle-incidents, request]
  rules:
    - {role: viewer, channels: [C0000000OPS], name: team}
    - {role: auditor, users: [U00000AUDIT], name: auditors}
    - {role: quiet-operator, groups: [S000ONCALL1], name: on-call}
    - {role: operator, users: [U00000000OP], channels: [C0000000OPS], name: operators}
    - {role: approver, users: [U000000BLUE], targets: [blue], name: leads of blue}
    - {role: approver, users: [U00000LEAD1, U00000LEAD2], name: leads}
approvals:
  needed: 2
  break_glass: [U00000LEAD1]
slack:
  channel: C0000000OPS
targets:
  - {name: green}
  - {name: blue, namespace: blue}
"""
CASES = """\
people:
  stranger: {user: U0000000009}
  guest: {user: U0000000008, kind: guest}
  oncall: {user: U0000000001, groups: [S000ONCALL1]}
  op: {user: U00000000OP}
  blue: {user: U000000BLUE}
  auditor: {user: U00000AUDIT}
  lead: {user: U00000LEAD1}
  lead2: {user: U00000LEAD2}
cases:
  - {who: stranger, in: C0000000OPS, run: status, expect: allowed, rule: team}
  - {who: stranger, in: C0000OTHER1, run: status, expect: refused}
  - {who: stranger, in: C0000000OPS, run: logs, expect: refused, rule: operators}
  - {who: guest, in: C0000000OPS, run: status, expect: refused, because: you are a guest}
  - {who: auditor, in: dm, run: audit, expect: allowed, rule: auditors}
  - {who: auditor, in: dm, run: status, expect: refused}
  - {who: auditor, in: dm, run: restart, expect: refused}
  - {who: oncall, in: dm, run: logs, expect: refused, because: you are a quiet-operator}
  - {who: oncall, in: dm, run: ack, target: blue, expect: allowed, rule: 3}
  - {who: oncall, in: dm, run: approve, target: blue, expect: refused}
  - {who: op, in: C0000000OPS, run: logs, target: blue, expect: allowed}
  - {who: op, in: dm, run: logs, expect: refused, rule: operators}
  - {who: op, in: dm, run: withdraw r-7k2m9xwq, expect: allowed}  # a request counts as made in its channel
  - {who: blue, in: dm, run: logs --target blue, expect: allowed, rule: leads of blue}
  - {who: blue, in: dm, run: logs, expect: refused, because: for blue}
  - {who: blue, in: dm, run: digest, expect: refused}
  - {who: blue, in: C0000000OPS, run: approve, target: blue, expect: allowed}
  - {who: blue, in: C0000000OPS, run: approve, target: green, expect: refused}
  - name: two leads approve
    who: oncall
    in: C0000000OPS
    run: restart
    expect: allowed
    approvals: 2
    approvers: [U00000LEAD1, U00000LEAD2]
    approve: [lead, lead2]
    then: executed
  - {who: oncall, in: dm, run: restart, expect: allowed, approve: [lead], then: waiting}
  - {who: oncall, in: dm, run: restart, expect: allowed, approve: [lead, lead], then: refused, because: one vote}
  - {who: lead, in: dm, run: restart, expect: allowed, approve: [lead], then: refused, because: four eyes}
  - {who: oncall, in: dm, run: restart, expect: allowed, approve: [blue], then: refused, because: for green}
  - name: for blue its lead counts
    who: oncall
    in: dm
    run: restart
    target: blue
    expect: allowed
    approvers: [U000000BLUE, U00000LEAD1, U00000LEAD2]
    approve: [blue, lead]
    then: executed
  - {who: oncall, in: dm, run: restart, expect: allowed, deny: [lead2], then: denied}
  - {who: oncall, in: dm, run: restart, expect: allowed, withdraw: [oncall], then: withdrawn}
  - {who: oncall, in: dm, run: restart, expect: allowed, withdraw: [op], then: refused, because: the requester can}
  - {who: oncall, in: dm, run: restart, expect: allowed, break_glass: [lead], then: executed}
  - {who: oncall, in: dm, run: restart, expect: allowed, break_glass: [lead2], then: refused, because: break-glass}
only:
  - {run: status, may: &all [
      everybody in C0000000OPS, S000ONCALL1, U00000000OP in C0000000OPS, U00000LEAD1, U00000LEAD2]}
  - {run: logs, may: &operators [U00000000OP in C0000000OPS, U00000LEAD1, U00000LEAD2]}
  - {run: logs, target: blue, may: [U00000000OP in C0000000OPS, U000000BLUE, U00000LEAD1, U00000LEAD2]}
  - {run: secrets, may: *operators}
  - run: audit
    may: [U00000000OP in C0000000OPS, U000000BLUE for blue, U00000AUDIT, U00000LEAD1, U00000LEAD2]
  - run: ack
    may: [S000ONCALL1, U00000000OP in C0000000OPS, U000000BLUE for blue, U00000LEAD1, U00000LEAD2]
  - {run: restart, may: [S000ONCALL1, U00000000OP in C0000000OPS, U00000LEAD1, U00000LEAD2]}
  - run: dashboard
    may: [everybody in C0000000OPS, S000ONCALL1, U00000000OP in C0000000OPS, U000000BLUE for blue,
      U00000LEAD1, U00000LEAD2]
  - {run: approve, may: [U00000LEAD1, U00000LEAD2]}
  - {run: heartbeats push, may: [U00000LEAD1, U00000LEAD2]}
  - {run: break-glass, may: [U00000LEAD1]}
"""
