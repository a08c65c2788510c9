/** A TypeDoc plugin: modules have the names of their packages. @module */
import { Converter } from "typedoc";

export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.children ?? []) module.name = `@postern/${module.name.replace(/\/src$/, "")}`;
  });
}
