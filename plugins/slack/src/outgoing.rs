//! What may be said to other people: a text that mentions nobody and gives nothing away, in Slack's spelling.

use casemate_plugin::{Failure, leak};

/// Mentions of everybody, as people write them.
const EVERYBODY: [&str; 4] = ["channel", "here", "everyone", "group"];

/// The text as it is sent, in which `&`, `<` and `>` are characters like any other:
/// <https://docs.slack.dev/messaging/formatting-message-text#escaping>. Without them there is no mention and no disguised link.
///
/// # Errors
/// When it calls for everybody, or holds what looks like a credential.
pub(crate) fn spelled(text: &str) -> Result<String, Failure> {
    if let Some(word) = mention(text) {
        return Err(Failure::invalid_arguments(format!(
            "nothing was sent: the text calls for everybody with `@{word}`; leave that out, and let a person do it"
        )));
    }
    if let Some(what) = leak::found(text) {
        return Err(Failure::invalid_arguments(format!(
            "nothing was sent: the text holds {what}; a credential is not sent to a channel, and one that was read here should be changed"
        )));
    }
    Ok(text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"))
}

/// The first mention of everybody: `@here`, in any case, with a full-width `@` too, and also as `<!here>` is written.
fn mention(text: &str) -> Option<&'static str> {
    let lower = text.to_lowercase().replace('\u{ff20}', "@").replace("<!", "@");
    lower.match_indices('@').find_map(|(at, sign)| {
        let rest = lower.get(at + sign.len()..)?;
        let end = rest.find(|letter: char| !letter.is_alphanumeric()).unwrap_or(rest.len());
        let word = rest.get(..end)?;
        EVERYBODY.into_iter().find(|everybody| *everybody == word)
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_slack_reads_as_markup_is_a_character() {
        for (text, sent) in [
            ("a < b && c > d", "a &lt; b &amp;&amp; c &gt; d"),
            ("<@U024BE7LH> look", "&lt;@U024BE7LH&gt; look"),
            ("<https://evil.example|https://bank.example>", "&lt;https://evil.example|https://bank.example&gt;"),
            ("&lt;!here&gt;", "&amp;lt;!here&amp;gt;"),
            ("mail soc@example.com, @alice\n*bold* `code`", "mail soc@example.com, @alice\n*bold* `code`"),
            ("user@hereford.example, @channels, @heretic", "user@hereford.example, @channels, @heretic"),
        ] {
            assert_eq!(spelled(text).unwrap(), sent);
        }
    }

    #[test]
    fn nobody_calls_for_everybody() {
        for text in [
            "@here",
            "ping @channel!",
            "@EVERYONE",
            "(@Here)",
            "<!channel>",
            "<!here|here>",
            "x@here.",
            "\u{ff20}channel",
            "@@here",
        ] {
            let failure = spelled(text).unwrap_err();
            assert!(failure.message().contains("calls for everybody"), "{text}: {failure}");
        }
    }

    #[test]
    fn a_credential_is_not_sent_and_not_repeated() {
        let token = format!("xoxb-{}", "1".repeat(24));
        for text in [format!("use {token}"), format!("```\n{token}\n```"), "postgres://app:hunter2@db.example".to_owned()] {
            let failure = spelled(&text).unwrap_err();
            assert!(failure.message().contains("the text holds"), "{failure}");
            assert!(!failure.message().contains(&token) && !failure.message().contains("hunter2"), "{failure}");
        }
    }
}
