/** VitePress's theme with the fonts of the system. @module */
import theme from "vitepress/theme-without-fonts";
import "./style.css";

export default theme;
