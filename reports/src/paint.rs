//! Which target has which colour, on light paper; the page's style replaces each by its counterpart for dark screens.
//!
//! Frameworks and variants take the colours of Okabe and Ito (jfly.uni-koeln.de/color), which people who are colour-blind
//! tell apart; controls are grey. Lines also differ by their dashes, and every line and bar carries its name.

use harness::record::{Role, Target};
use plotters::style::RGBColor;

/// A colour and its name in the page's style.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paint {
    pub(crate) class: &'static str,
    pub(crate) color: RGBColor,
}

const MEASURED: &[Paint] = &[
    paint("a0", 0x00, 0x72, 0xB2),
    paint("a1", 0xE6, 0x9F, 0x00),
    paint("a2", 0x00, 0x9E, 0x73),
    paint("a3", 0xCC, 0x79, 0xA7),
    paint("a4", 0xD5, 0x5E, 0x00),
    paint("a5", 0x56, 0xB4, 0xE9),
];

const CONTROLS: &[Paint] = &[paint("k0", 0x6E, 0x75, 0x80), paint("k1", 0xA3, 0xA9, 0xB3)];

/// Text and axes.
pub(crate) const INK: RGBColor = RGBColor(0x1C, 0x20, 0x26);
/// Text of less weight.
pub(crate) const FAINT: RGBColor = RGBColor(0x5A, 0x63, 0x6E);
/// Lines of the grid.
pub(crate) const GRID: RGBColor = RGBColor(0xDD, 0xE1, 0xE6);
/// What a whisker stands out by.
pub(crate) const PAPER: RGBColor = RGBColor(0xFD, 0xFD, 0xFC);

const fn paint(class: &'static str, red: u8, green: u8, blue: u8) -> Paint {
    Paint { class, color: RGBColor(red, green, blue) }
}

/// The colours of a run's targets, the same in each of its plots.
#[derive(Debug, Clone)]
pub(crate) struct Palette<'a>(Vec<(&'a str, Paint)>);

impl<'a> Palette<'a> {
    /// Colours in the plan's order; with more targets than colours they begin anew.
    pub(crate) fn new(targets: &'a [Target]) -> Self {
        let (mut measured, mut controls) = (MEASURED.iter().cycle(), CONTROLS.iter().cycle());
        Self(
            targets
                .iter()
                .filter_map(|target| {
                    let paint = match target.role {
                        Role::Framework | Role::Variant => measured.next()?,
                        Role::Control => controls.next()?,
                    };
                    Some((target.name.as_str(), *paint))
                })
                .collect(),
        )
    }

    /// The colour of a target.
    pub(crate) fn of(&self, target: &str) -> Paint {
        self.0.iter().find(|(name, _)| *name == target).map_or(CONTROLS[0], |(_, paint)| *paint)
    }
}
