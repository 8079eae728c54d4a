//! SPL: queries that people and pySigma write are sent as they are meant, and everything that reads elsewhere is refused for a reason.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use casemate_siem::{
    Bounds, Scope,
    spl::{Query, is_index},
};

const LEGITIMATE: &str = include_str!("corpus/spl-legitimate.txt");
const ESCAPES: &str = include_str!("corpus/spl-escapes.txt");

/// The cases of a corpus: what is said of each, and its query. `␀` stands for a NUL, `␤` for a line break, and
/// `<U+0085>` for that character.
fn cases(corpus: &'static str) -> Vec<(&'static str, String)> {
    let cases = corpus.split("\n---\n").filter(|case| !case.is_empty());
    let cases =
        cases.map(|case| case.strip_prefix("# ").and_then(|case| case.split_once('\n')).unwrap_or_else(|| panic!("{case}")));
    cases
        .map(|(said, query)| (said, query.replace('␀', "\0").replace('␤', "\n")))
        .map(|(said, query)| (said, named(query)))
        .collect()
}

fn named(mut query: String) -> String {
    while let Some((before, rest)) = query.split_once("<U+") {
        let (code, after) = rest.split_once('>').unwrap();
        query = format!("{before}{}{after}", char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
    }
    query
}

/// A query without what may be written in several ways: blanks, quotes around one word, commas, the letters' case, and a `+` before a
/// field that is sorted by.
fn plain(query: &str) -> String {
    let plain: String = query.chars().filter(|letter| !letter.is_whitespace() && !"\",".contains(*letter)).collect();
    let plain = plain.to_lowercase();
    let plain = if plain.starts_with('|') { format!("*{plain}") } else { plain };
    plain.strip_prefix("search").unwrap_or(&plain).replace("+host", "host")
}

#[test]
fn what_is_legitimate_is_sent_as_it_is_meant() {
    let cases = cases(LEGITIMATE);
    assert!(cases.len() >= 110, "{}", cases.len());
    assert!(cases.iter().filter(|(said, _)| said.starts_with("pySigma")).count() >= 50);
    let scope = Scope::new(["web", "auth-2"]);
    let mut wrong = Vec::new();
    for (said, query) in cases {
        let parsed = match Query::parse(&query) {
            Ok(parsed) => parsed,
            Err(refused) => {
                wrong.push(format!("{said}: {refused}\n{query}"));
                continue;
            }
        };
        let written = parsed.to_string();
        assert_eq!(Query::parse(&written).as_ref(), Ok(&parsed), "{said}: it is read again as it is written: {written}");
        let sent = parsed.scoped(&scope, 100);
        let (search, stages) = split(&written);
        assert_eq!(sent, format!("search index IN (\"web\", \"auth-2\") ({search}){stages} | head 100"));
        if plain(&query) != plain(&written) {
            wrong.push(format!("{said}: {query}\nis sent as\n{written}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// The search expression, and everything from the first pipe outside of quotes.
fn split(query: &str) -> (&str, &str) {
    let at = outside(query).find(|(_, letter)| *letter == '|').map_or(query.len(), |(at, _)| at - 1);
    query.split_at(at)
}

/// The characters that stand outside of double quotes.
fn outside(query: &str) -> impl Iterator<Item = (usize, char)> {
    let (mut quoted, mut escaped) = (false, false);
    query.char_indices().filter(move |(_, letter)| {
        let was = quoted;
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        !was && *letter != '"'
    })
}

#[test]
fn what_reads_elsewhere_is_refused_for_its_reason() {
    let cases = cases(ESCAPES);
    assert!(cases.len() >= 180, "{}", cases.len());
    let mut wrong = Vec::new();
    for (why, query) in &cases {
        match Query::parse(query) {
            Ok(parsed) => wrong.push(format!("{query}\n  is read as {parsed}")),
            Err(refused) if !refused.why.contains(why) => wrong.push(format!("{query}\n  {refused}\n  and not for `{why}`")),
            Err(refused) => assert!(refused.at <= query.len(), "{query}: {refused}"),
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// Every escape, put into every legitimate query where a term, a value or a command may stand, stays refused.
#[test]
fn an_escape_is_one_wherever_it_stands() {
    for (_, escape) in cases(ESCAPES) {
        // What is refused for being unfinished, or a pipe at the beginning, is another thing with something before it.
        if !escape.contains("index=secret") || escape.contains('"') {
            continue;
        }
        for around in ["(a) OR (@)", "a | search @", "a NOT (@) | stats count", "x=1 @", "@ y=2"] {
            let query = around.replace('@', &escape);
            assert!(Query::parse(&query).is_err(), "{query}");
        }
    }
}

/// Whatever a query is made of, what is sent begins with the indexes, closes what it opens, and holds no word that reads elsewhere.
#[test]
fn what_is_sent_is_of_the_granted_indexes() {
    let words: Vec<String> = cases(LEGITIMATE)
        .into_iter()
        .chain(cases(ESCAPES))
        .flat_map(|(_, query)| query.split(' ').map(str::to_owned).collect::<Vec<_>>())
        .collect();
    // A linear congruential generator: the same queries every time.
    let (mut state, mut sent) = (0x2545_f491_4f6c_dd1d_u64, 0);
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    for _ in 0..60_000 {
        let query: Vec<&str> = (0..1 + next(6)).map(|_| words[next(words.len())].as_str()).collect();
        let query = query.join(" ");
        let Ok(parsed) = Query::parse(&query) else { continue };
        sent += 1;
        let text = parsed.scoped(&Scope::new(["web"]), 5);
        assert_eq!(Query::parse(&parsed.to_string()), Ok(parsed), "{query}");
        let rest = text.strip_prefix("search index IN (\"web\") (").and_then(|rest| rest.strip_suffix(" | head 5")).unwrap();
        let mut depth = 1_i32;
        let mut bare = String::new();
        for (_, letter) in outside(rest) {
            depth += i32::from(letter == '(') - i32::from(letter == ')');
            assert!(depth >= 0 && !"[]`\\\n".contains(letter) && letter.is_ascii(), "{text}");
            assert!(letter != '|' || depth == 0, "{text}");
            bare.push(letter);
        }
        assert_eq!(depth, 0, "{text}");
        let lower = bare.to_lowercase();
        for word in ["index=", "index in (", "index!=", "earliest=", "delete", "inputlookup", "append"] {
            let is_command = |at: usize| lower[..at].trim_end().ends_with('|');
            let is_name = word.contains(['=', '!', ' ']);
            let is_whole =
                |at: usize| !lower[..at].ends_with(|before: char| before.is_alphanumeric() || "_.-{}".contains(before));
            let found = lower
                .match_indices(word)
                .any(|(at, _)| if is_name { is_whole(at) && !lower[..at].contains('|') } else { is_command(at) });
            assert!(!found, "`{word}` in {text}");
        }
    }
    assert!(sent > 5_000, "{sent}");
}

#[test]
fn queries_are_bounded() {
    let check = |query: &str, why: &str| {
        let refused = Query::parse(query).unwrap_err();
        assert!(refused.why.contains(why), "{refused}");
    };
    let Bounds { bytes, depth, stages, nodes } = Bounds::QUERY;
    let nested = |deep: usize| format!("{}a{}", "(".repeat(deep), ")".repeat(deep));
    assert!(Query::parse(&nested(depth)).is_ok());
    check(&nested(depth + 1), "deep");
    let nested = |deep: usize| format!("* | eval x={}a{}", "len(".repeat(deep), ")".repeat(deep));
    assert!(Query::parse(&nested(depth)).is_ok());
    check(&nested(depth + 1), "deep");
    assert!(Query::parse(&format!("*{}", " | head".repeat(stages))).is_ok());
    check(&format!("*{}", " | head".repeat(stages + 1)), "commands");
    assert!(Query::parse(&"a ".repeat(nodes)).is_ok());
    check(&"a ".repeat(nodes + 1), "parts");
    check(&"a".repeat(bytes + 1), "bytes");
}

#[test]
fn fields_that_are_computed_with_are_known() {
    let check = |query: &str, expected: &[&str]| {
        let parsed = Query::parse(query).unwrap();
        assert_eq!(parsed.computed().collect::<Vec<_>>(), expected, "{query}");
    };
    check("error | table user, src | fields - mail", &[]);
    check("user=a \"Full Name\"=b | where 'home address'=city", &["user", "Full Name", "home address", "city"]);
    check("* | eval x=upper(user)", &["user"]);
    check("* | rename user AS u, a* AS b*", &["user", "a*"]);
    check("* | stats values(user), count(eval(mail=\"x\")) BY host", &["user", "mail", "host"]);
    check("* | rex \"(?<u>.*)\"", &["_raw"]);
    check("* | rex field=user \"(?<u>.*)\"", &["user"]);
    check("* | spath output=x path=user", &["_raw"]);
    check("* | spath input=doc path=user", &["doc"]);
    check("* | regex \"a\" | kv", &["_raw"]);
    check("* | transpose | sort -user | top mail | dedup x", &["*", "user", "mail", "x"]);
    check("* | fieldsummary", &["*"]);
    check("* | convert ctime(user) AS u", &["user"]);
    check("* | strcat user \"-\" dest", &["user", "dest"]);
    check("* | replace \"a\" WITH \"b\"", &["*"]);
    check("* | mvexpand user | makemv delim=\",\" mail | nomv a | mvcombine b | iplocation c", &["user", "mail", "a", "b", "c"]);
    check("* | accum user AS u | bin mail AS m | fillnull value=x a", &["user", "mail", "a"]);
    check("* | transaction user | chart count OVER mail BY x", &["user", "mail", "x"]);
    check("* | search user IN (a)", &["user"]);
}

#[test]
fn an_index_has_an_exact_name() {
    for name in ["main", "web", "auth-2", "os_linux", "0day"] {
        assert!(is_index(name), "{name}");
    }
    let long = "a".repeat(81);
    for name in
        ["", "*", "web*", "_internal", "_audit", "Main", "a b", "a\"b", "a)", "a,b", "wеb", "-a", "a\n", "a.b", "a:b", &long]
    {
        assert!(!is_index(name), "{name:?}");
    }
}
