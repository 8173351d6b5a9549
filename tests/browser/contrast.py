"""Contrast as version 2.2 of the Web Content Accessibility Guidelines measures it."""

# Functions of JavaScript for scripts that measure a page.
FUNCTIONS = """
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [r, g, b] = numbers(colour).slice(0, 3).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  // The colour that an element stands on: its own or that of the nearest one around it.
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if ((numbers(colour)[3] ?? 1) > 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const says = (element) => [...element.childNodes].some(
    (node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
  const isLarge = (style) => parseFloat(style.fontSize) >= 24 ||
    (parseFloat(style.fontSize) >= 18.66 && parseInt(style.fontWeight) >= 700);
"""

# Texts that are too pale on what they stand on, as "text: contrast".
PALE_TEXTS = f"""() => {{
  {FUNCTIONS}
  return [...document.body.querySelectorAll("*")]
    .filter((element) => says(element) && element.checkVisibility())
    .map((element) => {{
      const style = getComputedStyle(element);
      const found = contrast(style.color, ground(element));
      return [element.textContent.trim().slice(0, 30), found, isLarge(style) ? 3 : 4.5];
    }})
    .filter(([, found, least]) => found < least)
    .map(([text, found]) => `${{text}}: ${{found.toFixed(1)}}`);
}}"""
