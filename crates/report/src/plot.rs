//! Diagrams with two axes: curves, areas and bars.

mod scale;

pub use scale::{Scale, time_label};

/// A diagram with two axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    /// A description for readers that cannot see it.
    pub label: String,
    /// The height in units of which the width has 860.
    pub height: f64,
    /// The scale of the horizontal axis.
    pub x: Scale,
    /// The scale of the vertical axis.
    pub y: Scale,
    /// The shapes, the lowest first.
    pub shapes: Vec<PlotShape>,
    /// The colours and what they mean; empty when the heading says it.
    pub legend: Vec<(Colour, String)>,
}

/// A shape between the axes, in the units of the axes.
#[derive(Debug, Clone, PartialEq)]
pub enum PlotShape {
    /// A curve through points.
    Curve {
        /// The colour of the curve.
        colour: Colour,
        /// The stroke of the curve.
        stroke: Stroke,
        /// The points, from left to right.
        points: Vec<(f64, f64)>,
    },
    /// The area between a curve and the horizontal axis.
    Area {
        /// The colour of the area.
        colour: Colour,
        /// The points of the curve, from left to right.
        points: Vec<(f64, f64)>,
    },
    /// A dashed horizontal line with a label.
    Level {
        /// The height of the line.
        value: f64,
        /// The label at its right end.
        label: String,
    },
    /// A box between two values of each axis.
    Bar {
        /// The colour of the box.
        colour: Colour,
        /// The left and the right side.
        x: (f64, f64),
        /// The lower and the upper side.
        y: (f64, f64),
        /// A text that appears when a pointer rests on the box.
        tip: String,
    },
}

/// A colour of the palette, which has a light and a dark form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// The colour of good results.
    Green,
    /// The first colour of measurements.
    Blue,
    /// The second colour of measurements.
    Orange,
    /// The colour of intentions and limits.
    Grey,
    /// One of [`Colour::SERIES`] colours that tell groups apart; larger numbers share the last one.
    Series(usize),
}

/// The stroke of a curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    /// A line of normal width.
    Solid,
    /// A dashed line of normal width.
    Dashed,
    /// A thin dotted line.
    Dotted,
    /// A wide translucent line, to lie under another one.
    Broad,
}

impl Colour {
    /// The number of colours for groups, with the one for the rest.
    pub const SERIES: usize = 7;

    /// Returns the class of the style sheet.
    pub(crate) fn class(self) -> &'static str {
        const SERIES: [&str; Colour::SERIES] = ["s0", "s1", "s2", "s3", "s4", "s5", "s6"];
        match self {
            Colour::Green => "green",
            Colour::Blue => "blue",
            Colour::Orange => "orange",
            Colour::Grey => "grey",
            Colour::Series(at) => SERIES[at.min(Colour::SERIES - 1)],
        }
    }
}

impl Stroke {
    /// Returns the class of the style sheet.
    pub(crate) fn class(self) -> &'static str {
        match self {
            Stroke::Solid => "solid",
            Stroke::Dashed => "dashed",
            Stroke::Dotted => "dotted",
            Stroke::Broad => "broad",
        }
    }
}
