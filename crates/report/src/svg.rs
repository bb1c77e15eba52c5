//! Charts as SVG inside a page. The colours come from the page's style sheet.

use std::fmt::{self, Display, Write};

use undrop_text::number::thousands;

use crate::chart::{Chart, Histogram, LaneState, Lanes};
use crate::html::Html;
use crate::plot::{Colour, Plot, PlotShape, Scale, Stroke};

/// The width of every chart in its own units.
const WIDTH: f64 = 860.0;
/// The height of a row of bars.
const ROW: f64 = 22.0;
/// The left end of bars; their names are to the left.
const BARS_LEFT: f64 = 190.0;
/// The right end of bars; their outcomes are to the right.
const BARS_RIGHT: f64 = 610.0;

/// The left end of a plot; the labels of its vertical axis are to the left.
const PLOT_LEFT: f64 = 66.0;
/// The right end of a plot.
const PLOT_RIGHT: f64 = 846.0;
/// The upper end of a plot.
const PLOT_TOP: f64 = 14.0;
/// The space below a plot for the labels of its horizontal axis.
const PLOT_FOOT: f64 = 26.0;

/// A coordinate with one decimal, which is finer than a pixel.
struct At(f64);

impl Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1}", self.0)
    }
}

/// Draws a chart that consists of bars.
pub(crate) fn chart(html: &mut Html, chart: &Chart) {
    match chart {
        Chart::Lanes(chart) => lanes(html, chart),
        Chart::Histogram(chart) => histogram(html, chart),
    }
}

/// Draws a diagram with its axes.
pub(crate) fn plot(html: &mut Html, plot: &Plot) {
    let area = Area { plot, bottom: plot.height - PLOT_FOOT };
    drawing(html, plot.height, &plot.label, |html| {
        area.axes(html);
        for shape in &plot.shapes {
            area.shape(html, shape);
        }
    });
}

fn drawing(html: &mut Html, height: f64, label: &str, content: impl FnOnce(&mut Html)) {
    let view = format!("0 0 {WIDTH} {height}");
    html.nested(
        "svg",
        &[
            ("viewBox", &view),
            ("role", &"img"),
            ("aria-label", &label),
            ("xmlns", &"http://www.w3.org/2000/svg"),
        ],
        content,
    );
}

fn text(html: &mut Html, x: f64, y: f64, class: &str, content: &str) {
    html.element("text", &[("x", &At(x)), ("y", &At(y)), ("class", &class)], content);
}

fn line(html: &mut Html, (x1, y1): (f64, f64), (x2, y2): (f64, f64), class: &str) {
    html.empty(
        "line",
        &[("x1", &At(x1)), ("y1", &At(y1)), ("x2", &At(x2)), ("y2", &At(y2)), ("class", &class)],
    );
}

fn lanes(html: &mut Html, chart: &Lanes) {
    let bottom = chart.lanes.len() as f64 * ROW + 8.0;
    let scale = Scale::time(chart.until_s);
    let x = |s: f64| BARS_LEFT + scale.position(s) * (BARS_RIGHT - BARS_LEFT);
    drawing(html, bottom + 26.0, &chart.title, |html| {
        for (at, label) in scale.ticks() {
            line(html, (x(*at), 4.0), (x(*at), bottom), "grid");
            text(html, x(*at), bottom + 16.0, "tick", label);
        }
        for (i, lane) in chart.lanes.iter().enumerate() {
            let middle = i as f64 * ROW + 4.0 + ROW / 2.0;
            let (from, to) = (x(lane.from_s), x(lane.to_s).max(x(lane.from_s) + 2.0));
            let (class, state) = match lane.state {
                LaneState::Alive => ("fill green", "alive"),
                LaneState::Ended => ("fill red", "ended"),
                LaneState::Failed => ("fill yellow", "failed"),
            };
            text(html, BARS_LEFT - 8.0, middle + 4.0, "name", &lane.name);
            bar(html, (from, middle - 5.0), (to - from, 10.0), class);
            let age = (lane.to_s - lane.from_s).max(0.0);
            let outcome = format!("{age:.1} s · {}", lane.ending.as_deref().unwrap_or(state));
            text(html, BARS_RIGHT + 10.0, middle + 4.0, "outcome", &outcome);
        }
    });
}

fn histogram(html: &mut Html, chart: &Histogram) {
    let most = chart.bins.iter().map(|bin| bin.count).max().unwrap_or(0).max(1);
    drawing(html, chart.bins.len() as f64 * ROW + 8.0, &chart.title, |html| {
        for (i, bin) in chart.bins.iter().enumerate() {
            let middle = i as f64 * ROW + 4.0 + ROW / 2.0;
            text(html, BARS_LEFT - 8.0, middle + 4.0, "name", &bin.range(&chart.unit));
            let width = (bin.count as f64 / most as f64 * (BARS_RIGHT - BARS_LEFT)).max(1.0);
            bar(html, (BARS_LEFT, middle - 7.0), (width, 14.0), "fill blue");
            text(html, BARS_LEFT + width + 8.0, middle + 4.0, "outcome", &thousands(bin.count));
        }
    });
}

fn bar(html: &mut Html, (x, y): (f64, f64), (width, height): (f64, f64), class: &str) {
    html.empty(
        "rect",
        &[
            ("x", &At(x)),
            ("y", &At(y)),
            ("width", &At(width)),
            ("height", &At(height)),
            ("rx", &2),
            ("class", &class),
        ],
    );
}

/// The area between the axes of a diagram.
struct Area<'a> {
    plot: &'a Plot,
    bottom: f64,
}

impl Area<'_> {
    fn axes(&self, html: &mut Html) {
        for (value, label) in self.plot.y.ticks() {
            let y = self.y(*value);
            line(html, (PLOT_LEFT, y), (PLOT_RIGHT, y), "grid");
            text(html, PLOT_LEFT - 8.0, y + 4.0, "end", label);
        }
        for (value, label) in self.plot.x.ticks() {
            let x = self.x(*value);
            line(html, (x, self.bottom), (x, self.bottom + 4.0), "mark");
            // A centred label at the very end would be cut off.
            let class = if x > PLOT_RIGHT - 24.0 { "end" } else { "tick" };
            text(html, x, self.bottom + 18.0, class, label);
        }
    }

    fn shape(&self, html: &mut Html, shape: &PlotShape) {
        match shape {
            PlotShape::Curve { colour, stroke, points } => self.curve(html, *colour, *stroke, points),
            PlotShape::Area { colour, points } => self.area(html, *colour, points),
            PlotShape::Level { value, label } => {
                let y = self.y(*value);
                // Above the line if there is room, else below.
                let baseline = if y - PLOT_TOP < 8.0 { y + 14.0 } else { y - 5.0 };
                line(html, (PLOT_LEFT, y), (PLOT_RIGHT, y), "level");
                text(html, PLOT_RIGHT, baseline, "end", label);
            }
            PlotShape::Bar { colour, x, y, tip } => {
                let (left, right) = (self.x(x.0), self.x(x.1));
                let (low, high) = (self.y(y.0), self.y(y.1));
                // Even the smallest bar is visible.
                let (width, height) = ((right - left - 1.0).max(1.5), (low - high).max(1.5));
                let class = format!("fill {}", colour.class());
                html.nested(
                    "rect",
                    &[
                        ("x", &At(left)),
                        ("y", &At(low - height)),
                        ("width", &At(width)),
                        ("height", &At(height)),
                        ("class", &class),
                    ],
                    |html| {
                        html.element("title", &[], tip);
                    },
                );
            }
        }
    }

    fn curve(&self, html: &mut Html, colour: Colour, stroke: Stroke, points: &[(f64, f64)]) {
        if let [(x, y)] = points {
            let class = format!("fill {}", colour.class());
            let (x, y) = (At(self.x(*x)), At(self.y(*y)));
            html.empty("circle", &[("cx", &x), ("cy", &y), ("r", &3), ("class", &class)]);
            return;
        }
        let class = format!("line {} {}", stroke.class(), colour.class());
        html.empty("path", &[("d", &self.path(points)), ("class", &class)]);
    }

    fn area(&self, html: &mut Html, colour: Colour, points: &[(f64, f64)]) {
        let (Some((first, _)), Some((last, _))) = (points.first(), points.last()) else { return };
        let (from, to, floor) = (At(self.x(*first)), At(self.x(*last)), At(self.y(0.0)));
        let path = format!("{}L{to} {floor}L{from} {floor}Z", self.path(points));
        let class = format!("area {}", colour.class());
        html.empty("path", &[("d", &path), ("class", &class)]);
    }

    fn path(&self, points: &[(f64, f64)]) -> String {
        let mut path = String::new();
        for (i, (x, y)) in points.iter().enumerate() {
            // Writing to a string cannot fail.
            let _ = write!(path, "{}{} {}", if i == 0 { 'M' } else { 'L' }, At(self.x(*x)), At(self.y(*y)));
        }
        path
    }

    fn x(&self, value: f64) -> f64 {
        PLOT_LEFT + self.plot.x.position(value) * (PLOT_RIGHT - PLOT_LEFT)
    }

    fn y(&self, value: f64) -> f64 {
        PLOT_TOP + (1.0 - self.plot.y.position(value)) * (self.bottom - PLOT_TOP)
    }
}
