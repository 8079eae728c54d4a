//! As much of XML as the answers of the Query API need: the texts of elements, by name, without entities, comments or declarations.

/// The texts of all elements of that name which hold nothing but text, in their order. An answer with anything that XML has besides
/// elements and text (`<!…>`, `<?…?>` after the beginning, entities) has no texts: nothing of AWS's has it.
pub(crate) fn texts<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let body = match xml.trim_start().strip_prefix("<?xml") {
        Some(rest) => rest.split_once("?>").map_or("", |(_, body)| body),
        None => xml,
    };
    if body.contains("<!") || body.contains("<?") || body.contains('&') {
        return Vec::new();
    }
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut texts = Vec::new();
    let mut rest = body;
    while let Some((_, after)) = rest.split_once(open.as_str()) {
        let Some((text, behind)) = after.split_once('<') else { break };
        let is_closed = format!("<{behind}").starts_with(&close);
        if is_closed {
            texts.push(text);
        }
        rest = behind;
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_elements() {
        let xml = "<?xml version=\"1.0\"?>\n<R xmlns=\"x\"><A>1</A><B><A>2</A></B><A></A><AA>3</AA><A b=\"c\">4</A></R>";
        assert_eq!(texts(xml, "A"), ["1", "2", ""]);
        assert_eq!(texts(xml, "B"), Vec::<&str>::new(), "it holds elements");
        for odd in [
            "<R><!-- <A>1</A> --></R>",
            "<!DOCTYPE r [<!ENTITY a \"1\">]><R><A>&a;</A></R>",
            "<R><![CDATA[<A>1</A>]]></R>",
            "<A>1",
            "<A>",
            "",
            "<A>1<B/></A>",
        ] {
            assert_eq!(texts(odd, "A"), Vec::<&str>::new(), "{odd}");
        }
    }
}
