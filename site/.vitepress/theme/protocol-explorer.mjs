/** The protocol explorer as a component. Its code is loaded in the browser, on its page alone. @module */
import { withBase } from "vitepress";
import { h, onBeforeUnmount, onMounted, ref } from "vue";

export default {
  name: "ProtocolExplorer",
  setup() {
    const element = ref();
    const style = ref("");
    let end;
    let isGone = false;
    onMounted(async () => {
      const [{ mountExplorer }, css] = await Promise.all([
        import("../../live/explorer.mjs"),
        import("../../live/explorer.css?inline"),
      ]);
      if (isGone) return;
      style.value = css.default;
      const transcripts = new URL(withBase("/transcripts/"), location.href);
      end = mountExplorer(element.value, { transcripts });
    });
    onBeforeUnmount(() => {
      isGone = true;
      end?.();
    });
    return () => [h("style", style.value), h("div", { ref: element }, [h("p", "The explorer needs JavaScript.")])];
  },
};
