// What a careful reader would object to, as sentences; nothing is fine.
() => {
  const objections = [];
  const say = (element, text) => {
    const where = element.closest("[class]")?.className?.baseVal ?? element.closest("[class]")?.className;
    objections.push(`${element.tagName.toLowerCase()} in "${where}" ${text}`);
  };
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((c, i) => c * a + under[i] * (1 - a));
  const ground = (element) => {
    const parent = element.parentElement;
    const color = rgba(getComputedStyle(element).backgroundColor);
    if (color[3] === 1 || !parent) return color;
    return over(color, ground(parent));
  };
  const light = (color) => {
    const [r, g, b] = color.map((c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [high, low] = [light(one), light(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !element.checkVisibility({ opacityProperty: true })) continue;
    if (["TITLE", "DESC"].includes(element.tagName.toUpperCase()) || element.closest("option")) continue;
    texts += 1;
    const style = getComputedStyle(element);
    const isDrawn = element instanceof SVGElement;
    const under = ground(element);
    const ink = over(rgba(isDrawn ? style.fill : style.color), under);
    const isLarge = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    const found = contrast(ink, under);
    if (found < (isLarge ? 3 : 4.5)) say(element, `has contrast ${found.toFixed(2)}: ${walker.currentNode.textContent.trim()}`);
    if (parseFloat(style.fontSize) < 11 && !isDrawn) say(element, `has letters of ${style.fontSize}`);
  }
  if (texts < 20) objections.push(`only ${texts} texts were looked at`);
  for (const field of document.querySelectorAll("input:not([type=hidden]), select"))
    if (!field.labels?.length) say(field, "has no label");
  for (const link of document.querySelectorAll("a, button, summary"))
    if (link.checkVisibility() && !link.textContent.trim()) say(link, "has no name");
  for (const picture of document.querySelectorAll("svg"))
    if (!picture.closest("[aria-hidden=true]") && !picture.getAttribute("aria-label") && !picture.getAttribute("aria-labelledby"))
      say(picture, "has no name");
  for (const element of document.querySelectorAll("[aria-labelledby]"))
    for (const id of element.getAttribute("aria-labelledby").split(" "))
      if (!document.getElementById(id)?.textContent.trim()) say(element, `is named by ${id}, which says nothing`);
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of new Set(ids.filter((id, index) => ids.indexOf(id) !== index))) objections.push(`id ${id} twice`);
  let level = 0;
  for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
    const own = Number(heading.tagName[1]);
    if (own > level + 1) say(heading, `follows h${level}`);
    level = own;
  }
  if (document.querySelectorAll("h1").length !== 1) objections.push("not exactly one h1");
  const tooWide = document.documentElement.scrollWidth - window.innerWidth;
  if (tooWide > 0) objections.push(`the page is ${tooWide} px too wide`);
  return objections;
}
