#!/bin/sh
# gate.sh MODEL [RUN]: audit a release candidate; exit 0 only if it may go out.
here=$(dirname "$0")
llmaudit run --model "$1" --suite "$here/suite.yaml" --policy "$here/policy.yaml" --out "${2:-gate-run}"
code=$?
case $code in
  0) echo "gate: open" ;;
  1) echo "gate: closed, a check failed" ;;
  3) echo "gate: closed until someone decides, or more samples settle it" ;;
  *) echo "gate: closed, there is no verdict; see the message above" ;;
esac
exit $code
