//! HTML to text: what a person would read, in reading order.
//!
//! It works on the stream of tokens and builds no tree, so the memory is that of the page and depth costs nothing.

use html5gum::{DefaultEmitter, HtmlString, StartTag, Token, Tokenizer};

/// Elements whose content nobody reads.
const UNREAD: &[&str] = &[
    "script", "style", "noscript", "template", "svg", "math", "iframe", "object", "audio", "video", "canvas", "select",
    "nav",
];
/// Elements that stand on lines of their own.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "li",
    "main",
    "ol",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "tr",
    "ul",
    "title",
];
/// Elements with an empty line around them.
const PARAGRAPHS: &[&str] =
    &["p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "table", "ul", "ol", "dl", "title", "hr"];

/// The readable text of a page.
pub(super) fn of_html(html: &str) -> String {
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let mut page = Page::default();
    for token in Tokenizer::new_with_emitter(html, emitter) {
        // Reading from memory can't fail.
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => page.open(&tag),
            Token::EndTag(tag) => page.close(&name(&tag.name)),
            Token::String(text) => page.text(&String::from_utf8_lossy(&text)),
            _ => {}
        }
    }
    page.finish()
}

fn name(name: &HtmlString) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// The text so far.
#[derive(Debug, Default)]
struct Page {
    out: String,
    /// The unread element that we are in, and how often it was opened inside itself.
    unread: Option<(String, usize)>,
    /// How many `pre` elements are open.
    pre: usize,
    /// Line ends that come before the next text.
    breaks: usize,
    /// A blank comes before the next text.
    blank: bool,
}

impl Page {
    fn open(&mut self, tag: &StartTag<()>) {
        let name = name(&tag.name);
        if let Some((unread, depth)) = &mut self.unread {
            if *unread == name && !tag.self_closing {
                *depth += 1;
            }
            return;
        }
        if UNREAD.contains(&name.as_str()) {
            if !tag.self_closing {
                self.unread = Some((name, 1));
            }
            return;
        }
        self.edge(&name);
        match name.as_str() {
            "br" => self.breaks = (self.breaks + 1).min(2),
            "pre" => self.pre += 1,
            "li" => self.push("- "),
            "h1" => self.push("# "),
            "h2" => self.push("## "),
            "h3" => self.push("### "),
            "td" | "th" => self.blank = true,
            "img" => {
                let alt = tag.attributes.get(b"alt".as_slice()).map(|alt| String::from_utf8_lossy(alt).into_owned());
                self.text(&alt.unwrap_or_default());
            }
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        if let Some((unread, depth)) = &mut self.unread {
            if *unread == name {
                *depth -= 1;
                if *depth == 0 {
                    self.unread = None;
                }
            }
            return;
        }
        if name == "pre" {
            self.pre = self.pre.saturating_sub(1);
        }
        self.edge(name);
    }

    /// The edge of a block ends the line.
    fn edge(&mut self, name: &str) {
        if PARAGRAPHS.contains(&name) {
            self.breaks = 2;
        } else if BLOCKS.contains(&name) {
            self.breaks = self.breaks.max(1);
        }
    }

    fn text(&mut self, text: &str) {
        if self.unread.is_some() {
            return;
        }
        if self.pre > 0 {
            self.push(text);
            return;
        }
        self.blank |= text.starts_with(char::is_whitespace);
        let mut words = text.split_whitespace().peekable();
        while let Some(word) = words.next() {
            self.push(word);
            self.blank = words.peek().is_some();
        }
        self.blank |= text.ends_with(char::is_whitespace);
    }

    fn push(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if self.out.is_empty() {
            // Nothing to set it apart from.
        } else if self.breaks > 0 {
            self.out.extend(std::iter::repeat_n('\n', self.breaks));
        } else if self.blank && !self.out.ends_with(char::is_whitespace) {
            self.out.push(' ');
        }
        (self.breaks, self.blank) = (0, false);
        self.out.push_str(text);
    }

    fn finish(self) -> String {
        self.out.trim().to_owned()
    }
}
