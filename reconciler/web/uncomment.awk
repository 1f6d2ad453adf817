# uncomment: a script without its comments, line for line. SPDX-License-Identifier: Apache-2.0
#
# A line that is nothing but a comment becomes an empty one, but for the first of the file. What looks like one within a template
# literal is text, and stays: literals, their ${} and what stands in them are followed through strings, regular expressions and
# comments. Where that does not end as it began, nothing was understood, and the script is refused.

BEGIN { top = 0; is_text[0] = 0; braces[0] = 0; last = "" }

{
    is_comment = NR > 1 && !is_text[top] && !is_block && /^ *\/\//
    print is_comment ? "" : $0
    n_removed += is_comment
    if (!is_comment)
        follow($0)
}

END {
    if (n_removed && (top || braces[0] || is_block)) {
        print "uncomment: " FILENAME ": what begins in it does not end" > "/dev/stderr"
        exit 1
    }
}

function push(text) { is_text[++top] = text; braces[top] = 0 }

# Past the sign that ends what begins at `i`; of a regular expression, not within [..].
function past(line, i, end,    c, is_class) {
    for (i++; i <= length(line); i++) {
        c = substr(line, i, 1)
        if (c == "\\")
            i++
        else if (end == "/" && c == "[")
            is_class = 1
        else if (end == "/" && c == "]")
            is_class = 0
        else if (c == end && !is_class)
            return i + 1
    }
    return i
}

# A slash divides after a value, and begins a regular expression after anything else.
function divides(line, i) {
    return last ~ /[A-Za-z0-9_$)\]"'`]/ && substr(line, 1, i - 1) !~ /(^|[^A-Za-z0-9_$.])(return|typeof|case|in|of|do|else) *$/
}

function follow(line,    i, c, two) {
    for (i = 1; i <= length(line);) {
        c = substr(line, i, 1)
        two = substr(line, i, 2)
        if (is_block) {
            is_block = two != "*/"
            i += is_block ? 1 : 2
        } else if (is_text[top]) {
            if (two == "${")
                push(0)
            else if (c == "`")
                top--
            i += two == "${" || c == "\\" ? 2 : 1
            last = c == "`" ? c : "{"
        } else if (two == "//") {
            return
        } else if (two == "/*") {
            is_block = 1
            i += 2
        } else if (c == "\"" || c == "'" || (c == "/" && !divides(line, i))) {
            i = past(line, i, c)
            last = "\""
        } else {
            if (c == "`")
                push(1)
            else if (c == "{")
                braces[top]++
            else if (c == "}" && braces[top])
                braces[top]--
            else if (c == "}" && top)
                top--
            if (c != " ")
                last = c
            i++
        }
    }
}
