//! HTML that is escaped by construction.

use std::fmt::Display;

use undrop_text::printable::escape_html;

/// A fragment of HTML or SVG.
///
/// Text and attribute values are always escaped. Markup comes from this builder's own methods and from string literals, so text
/// of a server cannot become markup if a caller forgets to escape it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Html(String);

/// The name and the value of an attribute. The value is escaped when it is written.
pub(crate) type Attribute<'a> = (&'static str, &'a dyn Display);

impl Html {
    /// Creates an empty fragment that can grow to this many bytes before it allocates again.
    pub(crate) fn with_capacity(bytes: usize) -> Html {
        Html(String::with_capacity(bytes))
    }

    /// Appends text with everything escaped that has a meaning in HTML, and with invisible characters shown as `\u{…}`.
    pub(crate) fn text(&mut self, text: &str) -> &mut Html {
        self.0.push_str(&escape_html(text));
        self
    }

    /// Appends markup as it is. A literal of this program is the only markup there is: other text does not live long enough.
    pub(crate) fn markup(&mut self, markup: &'static str) -> &mut Html {
        self.0.push_str(markup);
        self
    }

    /// Appends an element whose content the closure writes.
    pub(crate) fn nested(
        &mut self,
        tag: &'static str,
        attributes: &[Attribute<'_>],
        content: impl FnOnce(&mut Html),
    ) -> &mut Html {
        self.start(tag, attributes);
        self.0.push('>');
        content(self);
        self.0.push_str("</");
        self.0.push_str(tag);
        self.0.push('>');
        self
    }

    /// Appends an element that contains only text.
    pub(crate) fn element(
        &mut self,
        tag: &'static str,
        attributes: &[Attribute<'_>],
        text: &str,
    ) -> &mut Html {
        self.nested(tag, attributes, |html| {
            html.text(text);
        })
    }

    /// Appends an element of SVG that has no content.
    pub(crate) fn empty(&mut self, tag: &'static str, attributes: &[Attribute<'_>]) -> &mut Html {
        self.start(tag, attributes);
        self.0.push_str("/>");
        self
    }

    /// Returns the markup as a string.
    pub(crate) fn into_string(self) -> String {
        self.0
    }

    fn start(&mut self, tag: &'static str, attributes: &[Attribute<'_>]) {
        self.0.push('<');
        self.0.push_str(tag);
        for (name, value) in attributes {
            self.0.push(' ');
            self.0.push_str(name);
            self.0.push_str("=\"");
            self.0.push_str(&escape_html(&value.to_string()));
            self.0.push('"');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_attributes_are_escaped_and_invisible_characters_are_shown() {
        let evil = "<b>\"'&\u{1b}\u{202e}\u{200b}";
        let mut html = Html::default();
        html.nested("p", &[("class", &evil)], |html| {
            html.text(evil).empty("line", &[("x1", &1.5)]).markup("<br>");
        });
        let safe = "&lt;b&gt;&quot;&#39;&amp;\\u{1b}\\u{202e}\\u{200b}";
        assert_eq!(html.into_string(), format!("<p class=\"{safe}\">{safe}<line x1=\"1.5\"/><br></p>"));
    }
}
