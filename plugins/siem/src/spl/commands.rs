//! The commands that may follow a search, and what each of them takes.
//!
//! All of them compute with the events that came before, and with nothing else. Their options are listed, too.

mod arguments;

use arguments::{Kind, aggregates, clause, fields, need, number_if, order, pairs, settings, text};

use super::{eval, piece::Piece, reader::Reader, search};
use crate::Refused;

type Read = fn(&mut Reader<'_>) -> Result<Vec<Piece>, Refused>;

/// The name a command is written with, other names of it included, and how its arguments are read.
const COMMANDS: [(&str, Read); 44] = [
    ("accum", renamed),
    ("addcoltotals", totals),
    ("addtotals", totals),
    ("bin", bin),
    ("bucket", bin),
    ("chart", statistics),
    ("convert", convert),
    ("dedup", dedup),
    ("delta", renamed),
    ("eval", eval::assignments),
    ("eventstats", statistics),
    ("extract", extract),
    ("fieldformat", eval::assignments),
    ("fields", shown),
    ("fieldsummary", everything),
    ("filldown", filled),
    ("fillnull", filled),
    ("head", first),
    ("iplocation", one_field),
    ("kv", extract),
    ("makemv", one_field),
    ("mvcombine", one_field),
    ("mvexpand", one_field),
    ("nomv", one_field),
    ("rare", common),
    ("regex", regex),
    ("rename", rename),
    ("replace", replace),
    ("reverse", nothing),
    ("rex", rex),
    ("search", search::expression),
    ("sort", sort),
    ("spath", spath),
    ("stats", statistics),
    ("strcat", strcat),
    ("streamstats", statistics),
    ("table", shown),
    ("tail", first),
    ("timechart", statistics),
    ("top", common),
    ("transaction", transaction),
    ("transpose", everything),
    ("uniq", nothing),
    ("where", eval::expression),
];

/// The command whose name is next.
pub(super) fn name(reader: &mut Reader<'_>) -> Result<&'static (&'static str, Read), Refused> {
    let word = reader.peek_word();
    match COMMANDS.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)) {
        Some(command) if reader.word_if(word) => Ok(command),
        _ if word.is_empty() => reader.unexpected("expected a command"),
        _ => reader.refuse(format!("`{word}` {}", refusal(&word.to_ascii_lowercase()))),
    }
}

/// Why a command is not let through.
fn refusal(name: &str) -> &'static str {
    match name {
        "append" | "appendcols" | "appendpipe" | "join" | "union" | "multisearch" | "map" | "set" | "selfjoin" | "foreach"
        | "return" | "format" | "gentimes" | "makeresults" => {
            "runs or makes another search, which could read elsewhere; ask for it in a call of its own"
        }
        "inputlookup" | "inputcsv" | "lookup" | "from" | "rest" | "tstats" | "mstats" | "metadata" | "metasearch"
        | "datamodel" | "dbinspect" | "dbxquery" | "eventcount" | "savedsearch" | "loadjob" | "pivot" | "history" | "audit"
        | "mcatalog" | "msearch" | "typeahead" | "walklex" | "tags" | "typer" | "mpreview" | "dump" | "ldapsearch" => {
            "reads from elsewhere than the indexes that were granted; leave it out"
        }
        "delete" | "collect" | "mcollect" | "meventcollect" | "outputlookup" | "outputcsv" | "outputtext" | "tscollect"
        | "summaryindex" | "stash" | "sistats" | "sichart" | "sitimechart" | "sitop" | "sirare" | "overlap" => {
            "writes or deletes; this only searches"
        }
        "sendemail" | "sendalert" | "script" | "run" | "runshellscript" | "curl" | "dbxoutput" | "createrss" => {
            "sends or runs something; this only searches"
        }
        _ => "is not one of the commands that a query may hold; see the plugin's page for those",
    }
}

fn nothing(_: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    Ok(Vec::new())
}

/// `head 10`
fn first(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    let limit = settings(reader, &[("limit", Kind::Number)])?;
    if limit.is_empty() { number_if(reader) } else { Ok(limit) }
}

/// `table a, b` and `fields - c*`: fields under their own names.
fn shown(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    let mut pieces: Vec<Piece> = reader.sign(&["-", "+"]).map(Piece::Word).into_iter().collect();
    pieces.extend(need(reader, |reader| fields(reader, &[], false))?);
    Ok(pieces)
}

/// Of every field.
fn everything(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    // Which fields these are is not said.
    reader.compute("*");
    let mut pieces = number_if(reader)?;
    let known =
        [("maxvals", Kind::Number), ("header_field", Kind::Field), ("column_name", Kind::Field), ("include_empty", Kind::Flag)];
    pieces.extend(settings(reader, &known)?);
    pieces.extend(fields(reader, &[], true)?);
    Ok(pieces)
}

/// `accum bytes AS total`
fn renamed(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    let mut pieces = vec![reader.computed_field()?];
    pieces.extend(arguments::alias(reader)?);
    pieces.extend(settings(reader, &[("p", Kind::Number)])?);
    Ok(pieces)
}

fn totals(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    reader.compute("*");
    let known = [
        ("row", Kind::Flag),
        ("col", Kind::Flag),
        ("labelfield", Kind::Field),
        ("label", Kind::Text),
        ("fieldname", Kind::Field),
    ];
    clause(reader, &known, &[])
}

/// `bin _time span=5m AS slot`
fn bin(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    let known = [
        ("span", Kind::Span),
        ("minspan", Kind::Span),
        ("bins", Kind::Number),
        ("start", Kind::Number),
        ("end", Kind::Number),
        ("aligntime", Kind::Span),
    ];
    let mut pieces = settings(reader, &known)?;
    pieces.push(reader.computed_field()?);
    pieces.extend(settings(reader, &known)?);
    pieces.extend(arguments::alias(reader)?);
    Ok(pieces)
}

/// `stats count, dc(user) AS users BY host`, and the others that count.
fn statistics(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    let known = [
        ("span", Kind::Span),
        ("minspan", Kind::Span),
        ("bins", Kind::Number),
        ("limit", Kind::Span),
        ("useother", Kind::Flag),
        ("usenull", Kind::Flag),
        ("otherstr", Kind::Text),
        ("nullstr", Kind::Text),
        ("cont", Kind::Flag),
        ("partial", Kind::Flag),
        ("fixedrange", Kind::Flag),
        ("aligntime", Kind::Span),
        ("allnum", Kind::Flag),
        ("delim", Kind::Text),
        ("current", Kind::Flag),
        ("window", Kind::Number),
        ("global", Kind::Flag),
        ("time_window", Kind::Span),
        ("reset_on_change", Kind::Flag),
    ];
    let mut pieces = settings(reader, &known)?;
    pieces.extend(need(reader, aggregates)?);
    for (keyword, is_over) in [("OVER", true), ("BY", false)] {
        if reader.word_if(keyword) {
            pieces.push(Piece::Word(keyword));
            let stop: &[&str] = if is_over { &["BY"] } else { &[] };
            pieces.extend(need(reader, |reader| clause(reader, &known, stop))?);
        }
    }
    Ok(pieces)
}

/// `top 10 user BY host`
fn common(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    let known = [
        ("limit", Kind::Number),
        ("countfield", Kind::Text),
        ("percentfield", Kind::Text),
        ("showcount", Kind::Flag),
        ("showperc", Kind::Flag),
        ("useother", Kind::Flag),
        ("otherstr", Kind::Text),
    ];
    let mut pieces = number_if(reader)?;
    pieces.extend(need(reader, |reader| clause(reader, &known, &["BY"]))?);
    if reader.word_if("BY") {
        pieces.push(Piece::Word("BY"));
        pieces.extend(need(reader, |reader| clause(reader, &known, &[]))?);
    }
    Ok(pieces)
}

/// `dedup 3 host, user keepempty=true sortby -_time`
fn dedup(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    let known = [("keepevents", Kind::Flag), ("keepempty", Kind::Flag), ("consecutive", Kind::Flag)];
    let mut pieces = number_if(reader)?;
    pieces.extend(need(reader, |reader| clause(reader, &known, &["sortby"]))?);
    if reader.word_if("sortby") {
        pieces.push(Piece::Word("sortby"));
        pieces.extend(need(reader, order)?);
    }
    Ok(pieces)
}

/// `sort 100 -count, +user`
fn sort(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    let mut pieces = settings(reader, &[("limit", Kind::Number)])?;
    pieces.extend(number_if(reader)?);
    pieces.extend(need(reader, order)?);
    Ok(pieces)
}

/// `rename a AS b, "c d" AS e`
fn rename(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    pairs(reader, |reader| {
        let from = reader.computed_field()?;
        if !reader.word_if("AS") {
            return reader.unexpected("expected `AS` and a name");
        }
        Ok(vec![from, Piece::Word("AS"), reader.field()?])
    })
}

/// `replace "0x0" WITH "none" IN status`
fn replace(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    let mut pieces = pairs(reader, |reader| {
        let from = text(reader)?;
        if !reader.word_if("WITH") {
            return reader.unexpected("expected `WITH` and a text");
        }
        Ok(vec![from, Piece::Word("WITH"), text(reader)?])
    })?;
    if reader.word_if("IN") {
        pieces.push(Piece::Word("IN"));
        pieces.extend(need(reader, |reader| fields(reader, &[], true))?);
    } else {
        reader.compute("*");
    }
    Ok(pieces)
}

/// `rex field=uri "^/(?<section>[^/]+)"`
fn rex(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    let known =
        [("field", Kind::Computed), ("mode", Kind::OneOf(&["sed"])), ("max_match", Kind::Number), ("offset_field", Kind::Field)];
    with_text(reader, &known, "field")
}

/// `spath input=message path=user.name output=name`
fn spath(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    let known = [("input", Kind::Computed), ("output", Kind::Field), ("path", Kind::Text)];
    let mut pieces = settings(reader, &known)?;
    if !reader.is_end() {
        pieces.push(text(reader)?);
        pieces.extend(settings(reader, &known)?);
    }
    raw_without(reader, &pieces, "input");
    Ok(pieces)
}

/// Settings with one string among them.
fn with_text(reader: &mut Reader<'_>, known: &[(&'static str, Kind)], field: &str) -> Result<Vec<Piece>, Refused> {
    let mut pieces = settings(reader, known)?;
    if !reader.is_next("\"") {
        return reader.unexpected("expected a string in double quotes");
    }
    pieces.push(Piece::Quoted(reader.quoted()?));
    pieces.extend(settings(reader, known)?);
    raw_without(reader, &pieces, field);
    Ok(pieces)
}

/// Where it does not say of which field, it is of the whole event.
fn raw_without(reader: &mut Reader<'_>, pieces: &[Piece], setting: &str) {
    if !pieces.iter().any(|piece| matches!(piece, Piece::Setting(name, _) if *name == setting)) {
        reader.compute("_raw");
    }
}

/// `regex uri!="^/static/"`
fn regex(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    if reader.is_next("\"") {
        reader.compute("_raw");
        return Ok(vec![Piece::Quoted(reader.quoted()?)]);
    }
    let Piece::Field(field) = reader.computed_field()? else { return reader.unexpected("expected a field") };
    let Some(sign) = reader.sign(&["!=", "="]).filter(|_| reader.is_next("\"")) else {
        return reader.unexpected("expected `=` or `!=`, and a string in double quotes");
    };
    Ok(vec![Piece::Compare(field, sign, Box::new(Piece::Quoted(reader.quoted()?)))])
}

fn filled(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    clause(reader, &[("value", Kind::Text)], &[])
}

fn one_field(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    let known = [
        ("delim", Kind::Text),
        ("tokenizer", Kind::Text),
        ("allowempty", Kind::Flag),
        ("setsv", Kind::Flag),
        ("limit", Kind::Number),
        ("prefix", Kind::Text),
        ("allfields", Kind::Flag),
    ];
    let mut pieces = settings(reader, &known)?;
    pieces.push(reader.computed_field()?);
    pieces.extend(settings(reader, &known)?);
    Ok(pieces)
}

fn extract(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    reader.compute("_raw");
    // Without `reload`, and without the name of an extraction: what those do is said in the server's configuration.
    let known = [
        ("pairdelim", Kind::Text),
        ("kvdelim", Kind::Text),
        ("limit", Kind::Number),
        ("maxchars", Kind::Number),
        ("mv_add", Kind::Flag),
        ("clean_keys", Kind::Flag),
    ];
    settings(reader, &known)
}

/// `convert ctime(first) AS seen timeformat="%H:%M"`
fn convert(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    const FUNCTIONS: &[&str] = &["auto", "ctime", "dur2sec", "memk", "mktime", "mstime", "none", "num", "rmcomma", "rmunit"];
    let known = [("timeformat", Kind::Text)];
    let mut pieces = settings(reader, &known)?;
    while !reader.is_end() {
        pieces.push(arguments::of_a_field(reader, FUNCTIONS)?);
        pieces.extend(arguments::alias(reader)?);
        pieces.extend(settings(reader, &known)?);
        if reader.eat(",") {
            pieces.push(Piece::Comma);
        }
    }
    Ok(pieces)
}

fn transaction(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    // Without `startswith` and `endswith`, which hold a search in a string.
    let known = [
        ("maxspan", Kind::Span),
        ("maxpause", Kind::Span),
        ("maxevents", Kind::Number),
        ("keepevicted", Kind::Flag),
        ("keeporphans", Kind::Flag),
        ("mvlist", Kind::Flag),
    ];
    need(reader, |reader| clause(reader, &known, &[]))
}

/// `strcat host "/" user where`
fn strcat(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    let mut pieces = settings(reader, &[("allrequired", Kind::Flag)])?;
    while !reader.is_end() {
        pieces.push(if reader.is_next("\"") { Piece::Quoted(reader.quoted()?) } else { reader.computed_field()? });
    }
    Ok(pieces)
}
