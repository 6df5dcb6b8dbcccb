#!/usr/bin/env bash
# Grades every student's repository as it is now, by the course in this folder:
#
#     bash grade-repositories.sh ASSIGNMENT STUDENTS.csv RESULTS
#
# STUDENTS.csv has a line `student,address` for each. RESULTS gets STUDENT.txt, which the student may read, and
# STUDENT.xml for the CI system's own pages. Exit status: 0 when everybody was graded, 1 when somebody was not.
set -euo pipefail
assignment=$1 students=$2 results=$3
mkdir -p "$results"
ungraded=()
while IFS=, read -r student address || [[ -n $student ]]; do
  address=${address%$'\r'}
  [[ -z $student || $student == student ]] && continue
  folder=$(mktemp -d)
  # No links, hooks or submodules, and no file too large to be a notebook, comes along.
  if ! timeout 300 git -c core.symlinks=false -c core.hooksPath=/dev/null clone --quiet --depth 1 --single-branch \
    --no-recurse-submodules --no-tags --filter=blob:limit=64m -- "$address" "$folder/hand-in" </dev/null; then
    ungraded+=("$student (not fetched)")
  else
    status=0
    autograder check "$folder/hand-in" --course . --assignment "$assignment" --student "$student" --for-students \
      --junit "$results/$student.xml" >"$results/$student.txt" 2>&1 </dev/null || status=$?
    [[ $status == 0 ]] || ungraded+=("$student (status $status)")
  fi
  rm -rf "$folder"
done <"$students"
if ((${#ungraded[@]})); then
  printf 'not graded: %s\n' "${ungraded[@]}" >&2
  exit 1
fi
