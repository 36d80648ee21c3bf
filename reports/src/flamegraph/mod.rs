//! Flamegraphs: pictures of profiles, of what two sides differ in, and the tables beside them.
//!
//! inferno draws the frames and brings the zoom and the search. What it cannot do is here: colours that mean something, panels for what
//! is on one side only (`picture.rs`), the keyboard (`keyboard.js`), and a picture for places that show no SVG. What the figures say was
//! concluded by `harness::profile`; the tables are `table.rs`'s.

use std::collections::HashMap;

use anyhow::{Context, Result, anyhow, bail};
use inferno::flamegraph::{
    self, Options, TextTruncateDirection,
    color::{Color, PaletteMap},
};
use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg,
};

mod picture;
mod table;

pub use picture::{Picture, differential, profile};
pub use table::{changes, roles, top};

/// An SVG is not to be larger than this, bytes.
const SVG_MAX: usize = 1_500_000;

/// Frames narrower than this share of the picture are left out, %; and the step by which that grows until the picture is small enough.
const WIDTH_MIN: f64 = 0.05;
const WIDTH_STEP: f64 = 1.6;

/// Height of a frame, pixels.
const FRAME_HEIGHT: usize = 16;

/// Moves through frames by the keyboard.
const KEYBOARD: &str = include_str!("keyboard.js");

/// Width of the picture for places that show no SVG, pixels.
const PNG_WIDTH: f32 = 1200.0;

/// The picture as an SVG that needs nothing else. Frames narrower than `width_min` %, and narrower ones yet if it would be too large,
/// are left out.
///
/// # Errors
/// When there is nothing to draw.
pub fn svg(picture: &Picture, width_min: Option<f64>) -> Result<String> {
    if picture.stacks.values().sum::<u64>() == 0 {
        bail!("{}: there is nothing to draw", picture.title);
    }
    let lines: Vec<String> = picture.stacks.iter().map(|(stack, weight)| format!("{stack} {weight}")).collect();
    let mut width_min = width_min.unwrap_or(WIDTH_MIN);
    loop {
        let drawn = draw(picture, &lines, width_min)?;
        if drawn.len() <= SVG_MAX {
            return Ok(drawn);
        }
        width_min *= WIDTH_STEP;
    }
}

fn draw(picture: &Picture, lines: &[String], width_min: f64) -> Result<String> {
    let mut palette = PaletteMap::default();
    for (name, [r, g, b]) in &picture.colours {
        palette.insert(name, Color { r: *r, g: *g, b: *b });
    }
    let mut options = Options::default();
    options.title.clone_from(&picture.title);
    options.subtitle = Some(picture.subtitle.clone());
    // A comment ends at two hyphens.
    options.notes = picture.notes.replace("--", "- -");
    options.count_name.clone_from(&picture.unit);
    options.factor = picture.factor;
    options.min_width = width_min;
    options.frame_height = FRAME_HEIGHT;
    options.text_truncate_direction = TextTruncateDirection::Right;
    options.palette_map = Some(&mut palette);
    options.no_sort = true;
    let mut drawn = Vec::new();
    flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), &mut drawn)
        .with_context(|| format!("{} cannot be drawn", picture.title))?;
    let drawn = String::from_utf8(drawn).context("inferno drew something that is no text")?;
    // Nothing needs the document type, and some who show pictures refuse one.
    let drawn = match (drawn.find("<!DOCTYPE"), drawn.find("<svg")) {
        (Some(from), Some(to)) if from < to => format!("{}{}", &drawn[..from], &drawn[to..]),
        _ => drawn,
    };
    let (body, _) = drawn.rsplit_once("</svg>").ok_or_else(|| anyhow!("inferno drew no SVG"))?;
    Ok(format!("{body}<script type=\"text/ecmascript\"><![CDATA[\n{KEYBOARD}]]></script></svg>\n"))
}

/// The same as pixels. Names are left out where the machine has no fonts.
///
/// # Errors
/// When the SVG is none, or there is no memory for so many pixels.
pub fn png(svg: &str) -> Result<Vec<u8>> {
    let mut options = usvg::Options::default();
    options.fontdb_mut().load_system_fonts();
    let tree = usvg::Tree::from_str(svg, &options).context("the SVG cannot be read")?;
    let scale = PNG_WIDTH / tree.size().width();
    let height = (tree.size().height() * scale).ceil();
    let mut pixels =
        Pixmap::new(PNG_WIDTH as u32, height as u32).ok_or_else(|| anyhow!("no room for {height} rows of pixels"))?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
    pixels.encode_png().context("the pixels cannot be encoded")
}

/// The colour of each name: from a key, evenly shaded by the name, so that neighbours can be told apart.
fn shaded(name: &str, [r, g, b]: [u8; 3]) -> [u8; 3] {
    let shade = name.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte))) % 28;
    [r, g, b].map(|part| part.saturating_add(shade as u8))
}

type Colours = HashMap<String, [u8; 3]>;

#[cfg(test)]
mod tests {
    use harness::profile::{Folded, Names, Roles};
    use resvg::usvg::roxmltree::Document;

    use super::*;

    fn drawn(text: &str, name: &str) -> String {
        let folded = Folded::parse(text, name).unwrap();
        svg(&profile(&folded, &Roles::read(&[]).unwrap()), None).unwrap()
    }

    #[test]
    fn a_picture_needs_nothing_else_and_holds_its_frames_and_its_head() {
        let svg = drawn("main;a 30\nmain;b 12\n", "x.folded");
        let document = Document::parse(&svg).unwrap();
        let titles: Vec<&str> =
            document.descendants().filter(|node| node.has_tag_name("title")).filter_map(|node| node.text()).collect();
        assert!(titles.contains(&"a (30 samples, 71.43%)"), "{titles:?}");
        for reference in ["href=\"http", "src=", "@import", "url(http"] {
            assert!(!svg.contains(reference), "{reference} in {svg}");
        }
        for part in ["zoom(", "search(", "ArrowUp", "samples: 42"] {
            assert!(svg.contains(part), "no {part}");
        }
    }

    #[test]
    fn no_name_becomes_a_part_of_the_document() {
        let hostile = "<script>alert(1)</script>;\"><g onload='x'>;]]>;--><svg/>;&amp;\u{1b}\u{0};<!-- ";
        let svg = drawn(&format!("{hostile};{} 9\n", "x".repeat(10_000)), "--><script>\"'");
        let document = Document::parse(&svg).unwrap();
        let scripts = document.descendants().filter(|node| node.has_tag_name("script")).count();
        assert_eq!(scripts, 2, "inferno's and the keyboard's");
        let listening = document
            .descendants()
            .flat_map(|node| node.attributes())
            .filter(|attribute| attribute.name().starts_with("on"));
        assert!(
            !listening.into_iter().any(|attribute| attribute.name() != "onload" || attribute.value() != "init(evt)")
        );
        let longest = document
            .descendants()
            .filter(|node| node.has_tag_name("title"))
            .filter_map(|node| node.text())
            .map(str::len)
            .max();
        assert!(longest < Some(600), "{longest:?}");
    }

    #[test]
    fn a_picture_of_many_frames_stays_small() {
        let mut text = String::new();
        for one in 0..300 {
            for other in 0..100 {
                text.push_str(&format!("main;a_function_with_quite_a_long_name_{one};another_function_{other} 5\n"));
            }
        }
        let svg = drawn(&text, "x");
        assert!(svg.len() <= SVG_MAX, "{}", svg.len());
        assert!(svg.contains("main (150,000 samples, 100.00%)"));
    }

    #[test]
    fn pixels_have_the_colours_of_frames() {
        let bytes = png(&drawn("main;a 30\n", "x")).unwrap();
        let pixels = Pixmap::decode_png(&bytes).unwrap();
        assert_eq!(pixels.width(), PNG_WIDTH as u32);
        let colours: std::collections::HashSet<[u8; 3]> =
            pixels.pixels().iter().map(|pixel| [pixel.red(), pixel.green(), pixel.blue()]).collect();
        assert!(colours.len() > 3, "{colours:?}");
        assert!(png("<svg").is_err());
    }

    #[test]
    fn what_differs_is_red_or_blue_and_the_rest_grey() {
        let side = |text: &str| Folded::parse(text, "x").unwrap();
        let base = side("main;a 1000\nmain;old 400\nmain;c 800\nmain;c;inner 500\n");
        let head = side("main;a 1000\nmain;new;inner 400\nmain;c 300\nmain;c;inner 100\n");
        let compared = harness::profile::compare(&[base], &[head]).unwrap();
        let picture = differential(&compared, "base", "head");
        let hue = |name: &str| {
            let [r, g, b] = picture.colours[name];
            if r == g && g == b {
                "grey"
            } else if r > b {
                "red"
            } else {
                "blue"
            }
        };
        let hues = ["a", "new", "old", "c", "main"].map(hue);
        assert_eq!(hues, ["grey", "red", "blue", "blue", "grey"]);
        let panels: Vec<&String> = picture.stacks.keys().filter(|stack| stack.starts_with("only in")).collect();
        assert_eq!(panels, ["only in base (gone): base;old", "only in head (new): head;new;inner"]);
        let svg = svg(&picture, None).unwrap();
        assert!(svg.contains("only in base (gone): base"), "{svg}");
    }

    #[test]
    fn a_legible_name_keeps_its_role_s_colour() {
        let names = Names::read(&[]).unwrap();
        let folded = names.applied(&Folded::parse("main;armature_core::h1::head::parse<T> 3\n", "x").unwrap(), true);
        let picture = profile(&folded, &Roles::read(&[]).unwrap());
        assert_ne!(picture.colours["armature_core::h1::head::parse"], picture.colours["main"]);
    }
}
