/** How the completion scripts find host names. @module */

/**
 * A program for awk that prints the aliases of `~/.ssh/config` and the names in known_hosts files. It prints no
 * patterns and no hashed names, and only characters of host names, because shells may expand what a completion
 * offers. It contains neither quotes nor backslashes of a shell.
 */
export const hostNames: string = `
function offer(name) {
  if (name ~ /^[A-Za-z0-9_][A-Za-z0-9._:-]*$/ && !seen[name]++) print name
}
function known(file,  line, parts, names, count, i) {
  while ((getline line < file) > 0) {
    if (line ~ /^[@|#]/) continue
    split(line, parts, " ")
    count = split(parts[1], names, ",")
    for (i = 1; i <= count; i++) {
      if (substr(names[i], 1, 1) == "[") {
        names[i] = substr(names[i], 2)
        sub(/[]].*/, "", names[i])
      }
      offer(names[i])
    }
  }
}
BEGIN {
  home = ENVIRON["HOME"] "/.ssh/"
  while ((getline < (home "config")) > 0) {
    gsub(/[="]/, " ")
    if (tolower($1) == "host") for (i = 2; i <= NF; i++) offer($i)
  }
  known(home "known_hosts")
  known("/etc/ssh/ssh_known_hosts")
}
`.trim();
