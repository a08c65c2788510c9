/** Makes elements. Text is never parsed as HTML. @module */

/** @typedef {string | number | boolean | undefined | ((event: Event) => void)} Attribute */

/**
 * @param {string} tag
 * @param {Record<string, Attribute>} [attributes] a function is a listener; `true` is an empty attribute, `false` and
 *   `undefined` are none
 * @param {...(Node | string)} children
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children);
  return element;
}

/** A link to the section of a specification, or a dash. */
export function sectionLink(section) {
  if (section === undefined) return "–";
  const text = section.section === "" ? section.document : `${section.document}, ${section.section}`;
  return make("a", { href: section.url }, text);
}
