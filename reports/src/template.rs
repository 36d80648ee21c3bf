//! Fills the templates in reports/templates. Every value is escaped on its way out, for HTML or for Markdown by the
//! template's ending; only the plots, which escape their own text, pass as they are.

use anyhow::{Context, Result};
use minijinja::{
    AutoEscape, Environment, UndefinedBehavior, Value, context, escape_formatter, syntax::SyntaxConfig, value::Serde,
};

use crate::{comparison, ledger, page::Page, plot::CasePlots};

const HTML: &str = include_str!("../templates/report.html");
const STYLE: &str = include_str!("../templates/report.css");
const COMPARISON: &str = include_str!("../templates/comparison.md");
const LEDGER_HTML: &str = include_str!("../templates/ledger.html");
const LEDGER: &str = include_str!("../templates/ledger.md");
const MARKDOWN: &str = include_str!("../templates/report.md");

/// The page as one HTML file.
pub(crate) fn html(page: &Page<'_>, plots: &[CasePlots]) -> Result<String> {
    let style = Value::from_safe_string(STYLE.to_owned());
    let (page, plots) = (Value::from(Serde(page)), Value::from(Serde(plots)));
    render("report.html", HTML, context! { page, plots, style })
}

/// The page as Markdown.
pub(crate) fn markdown(page: &Page<'_>) -> Result<String> {
    let page = Value::from(Serde(page));
    render("report.md", MARKDOWN, context! { page })
}

/// A comparison as Markdown.
pub(crate) fn comparison(page: &comparison::Page) -> Result<String> {
    let page = Value::from(Serde(page));
    render("comparison.md", COMPARISON, context! { page })
}

/// The ledger as Markdown.
pub(crate) fn ledger(page: &ledger::Page) -> Result<String> {
    let page = Value::from(Serde(page));
    render("ledger.md", LEDGER, context! { page })
}

/// The ledger as one HTML file, with a plot for each input.
pub(crate) fn ledger_html(page: &ledger::Page) -> Result<String> {
    let style = Value::from_safe_string(STYLE.to_owned());
    let page = Value::from(Serde(page));
    render("ledger.html", LEDGER_HTML, context! { page, style })
}

fn render(name: &'static str, source: &'static str, values: Value) -> Result<String> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?;
    environment.set_syntax(syntax);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|name| {
        if name.ends_with(".md") { AutoEscape::Custom("markdown".into()) } else { AutoEscape::Html }
    });
    environment.set_formatter(|out, state, value| match state.auto_escape() {
        AutoEscape::Custom(_) if !value.is_safe() => out.write_str(&escaped(&value.to_string())).map_err(Into::into),
        _ => escape_formatter(out, state, value),
    });
    environment.add_template(name, source)?;
    environment.get_template(name)?.render(values).with_context(|| format!("the template {name} cannot be filled"))
}

/// Text as Markdown that shows it: what GitHub's flavour gives a meaning gets a backslash, a line feed becomes a space.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    for (at, character) in text.char_indices() {
        let rest = &text[at + character.len_utf8()..];
        let means = match character {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '&' | '#' | '!' | '$' | '@' => true,
            // A list or an underlined heading where a line begins with them.
            '-' | '+' | '=' => at == 0,
            ')' => before.is_ascii_digit() && text[..at].bytes().all(|byte| byte.is_ascii_digit()),
            // A numbered list, and addresses that would become links.
            '.' => {
                text[..at].to_ascii_lowercase().ends_with("www")
                    || (at > 0 && rest.starts_with(' ') && text[..at].bytes().all(|byte| byte.is_ascii_digit()))
            }
            ':' => rest.starts_with("//"),
            _ => false,
        };
        if means {
            out.push('\\');
        }
        out.push(if character == '\n' { ' ' } else { character });
        before = character;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_shows_what_it_is_given() {
        for (text, expected) in [
            ("axum 4.3 % more", "axum 4.3 % more"),
            ("<script>alert(1)</script>", "\\<script\\>alert(1)\\</script\\>"),
            ("a|b", "a\\|b"),
            ("[x](y)", "\\[x\\](y)"),
            ("two\nlines", "two lines"),
            ("- item", "\\- item"),
            ("a - b", "a - b"),
            ("1. item", "1\\. item"),
            ("http://evil", "http\\://evil"),
            ("www.evil", "www\\.evil"),
            ("&lt;", "\\&lt;"),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }
}
