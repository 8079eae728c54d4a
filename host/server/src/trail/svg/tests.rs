use serde_json::{Value, json};

use super::{LINE, Layout, Look, short, svg};
use crate::trail::chain::{
    Chain, chain,
    tests::{record, written},
};

/// Thirty calls of one session, each of which had read all before it; the last one approved by two people.
fn long() -> Chain {
    let read = |last: u32| -> Value {
        (1..last)
            .map(|n| json!({ "audit_id": format!("e{n}"), "label": if n % 2 == 0 { "untrusted" } else { "personal" } }))
            .collect()
    };
    let mut records: Vec<Value> = (1..30)
        .map(|n| {
            record(n, "intent", "vt_report", "allowed", json!({ "call_id": format!("c{n}"), "effect": "read", "read": read(n) }))
        })
        .collect();
    records.push(record(
        30,
        "deferred",
        "fw_block",
        "deferred",
        json!({ "call_id": "c30", "approval": "aaaa", "read": read(30) }),
    ));
    for (n, who, said) in [(31, "alice", "approve"), (32, "bob", "approve")] {
        let facts = json!({ "approval": "aaaa", "approver": who, "said": said, "reason": "" });
        records.push(record(n, "approval.voted", "", "allowed", json!({ "fields": facts })));
    }
    let carried = json!([{ "argument": "/ip", "audit_id": "e3" }, { "argument": "/port", "audit_id": "e3" }]);
    let facts = json!({ "call_id": "c33", "approval": "aaaa", "effect": "destructive", "mode": "real", "read": read(30), "carried": carried });
    records.push(record(33, "intent", "fw_block", "allowed", facts));
    let (_dir, state) = written(&records);
    chain(&state, "e33").unwrap()
}

#[test]
fn no_words_and_no_lines_stand_on_each_other() {
    let chain = long();
    let layout = Layout::of(&chain);
    assert!(layout.places.len() == 33 && layout.lanes.len() == 32);
    for (above, below) in layout.places.iter().zip(layout.places.iter().skip(1)) {
        assert!(above.y + above.height < below.y);
    }
    for place in &layout.places {
        let ys: Vec<usize> = place.lines.iter().map(|line| line.y).collect();
        assert!(ys.windows(2).all(|pair| pair[1] - pair[0] >= 14), "{ys:?}");
        assert!(ys.iter().all(|y| (place.y + 14..place.y + place.height).contains(y)), "{ys:?}");
    }
    // Two lanes in one place never touch, and a joint is where its lanes are.
    for (at, lane) in layout.lanes.iter().enumerate() {
        assert!(lane.from < lane.to && layout.x(lane.number) + 20 <= layout.left);
        let same = layout.lanes.iter().skip(at + 1).filter(|other| other.number == lane.number);
        assert!(same.into_iter().all(|other| lane.to < other.from));
    }
    for joint in &layout.joints {
        for number in &joint.lanes {
            assert!(layout.lanes.iter().any(|lane| lane.number == *number && (lane.from..=lane.to).contains(&joint.y)));
        }
    }
}

#[test]
fn a_step_says_in_words_what_led_to_it() {
    let chain = long();
    let reasons: Vec<String> = chain.reasons(chain.root).into_iter().map(|reason| reason.text).collect();
    let odd = (1..30).step_by(2).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    assert_eq!(reasons[0], "has the value of /ip, /port from 3");
    assert_eq!(reasons[1], format!("had read {odd} (personal)"));
    assert_eq!(reasons[3..], ["approval asked for by 30", "approved by alice (31)", "approved by bob (32)"]);
    assert_eq!(chain.reasons(0).len(), 0);
    let picture = svg(&chain, Look::Alone);
    assert!(picture.contains("<text class=\"note\"") && picture.contains(">approved by alice (31)</text>"));
}

/// A picture has a name and says in words what it shows, for who does not see it.
#[test]
fn a_picture_has_a_title_and_a_description() {
    let picture = svg(&long(), Look::Inside);
    assert!(picture.contains("role=\"img\" aria-labelledby=\"chain-title chain-description\""));
    assert!(picture.contains("<title id=\"chain-title\">What led to fw_block</title>"));
    assert!(
        picture.contains("<desc id=\"chain-description\">Steps in the order of time, each with what led to it. 1: vt_report by ")
    );
    assert!(picture.contains("32: approval.voted by bob, approved."), "{picture}");
}

#[test]
fn a_text_is_cut_by_the_columns_it_takes() {
    assert_eq!(short(&"a".repeat(LINE), LINE), "a".repeat(LINE));
    assert_eq!(short(&"a".repeat(LINE + 1), LINE), "a".repeat(LINE - 1) + "…");
    assert_eq!(short(&"漢".repeat(30), 20), "漢".repeat(9) + "…");
}
